from django.urls import path

from . import views

urlpatterns = [
    path("chats", views.chats, name="chats"),
    path("chats/answers", views.answers, name="chat_answers"),
    path("chats/test/<uuid:employee_id>", views.test, name="test_chat"),
    path("chats/test/<uuid:employee_id>/messages", views.test_messages, name="test_chat_messages"),
    path("chats/<uuid:chat_id>", views.chat, name="chat"),
    path("chats/<uuid:chat_id>/messages", views.messages, name="chat_messages"),
    path("chats/<uuid:chat_id>/history", views.history, name="chat_history"),
    path("chats/<uuid:chat_id>/reply", views.reply, name="chat_reply"),
    path("chats/<uuid:chat_id>/pause", views.pause, name="chat_pause"),
    path("chats/<uuid:chat_id>/deletion", views.deletion, name="chat_deletion"),
]
