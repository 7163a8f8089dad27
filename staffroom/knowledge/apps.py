from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    name = "staffroom.knowledge"
    label = "knowledge"
