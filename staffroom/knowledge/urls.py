from django.urls import path

from . import views

urlpatterns = [
    path("knowledge", views.library, name="knowledge"),
    path("knowledge/new", views.new, name="knowledge_new"),
    path("knowledge/<uuid:source_id>", views.source, name="source"),
    path("knowledge/<uuid:source_id>/progress", views.progress, name="source_progress"),
    path("knowledge/<uuid:source_id>/passages", views.passages, name="source_passages"),
    path("knowledge/<uuid:source_id>/deletion", views.deletion, name="source_deletion"),
]
