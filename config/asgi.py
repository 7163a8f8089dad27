"""The web process: what granian serves."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from staffroom.core.server import Server  # noqa: E402 - Django first

application = Server()
