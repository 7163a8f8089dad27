"""The web process: what granian serves."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from staffroom.chats.streams import streams  # noqa: E402 - Django first
from staffroom.core.server import Server  # noqa: E402

application = Server(opening=streams.open)
