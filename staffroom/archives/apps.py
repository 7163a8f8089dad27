from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    name = "staffroom.archives"
    label = "archives"
