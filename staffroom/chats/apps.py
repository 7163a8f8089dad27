from django.apps import AppConfig


class ChatsConfig(AppConfig):
    name = "staffroom.chats"
    label = "chats"
