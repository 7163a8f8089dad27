from django.urls import path

from . import views

urlpatterns = [
    path("exports", views.exports_, name="exports"),
    path("exports/<uuid:export_id>", views.export, name="export"),
    path("exports/<uuid:export_id>/link", views.link, name="export_link"),
    path("exports/<uuid:export_id>/file/<str:token>", views.file, name="export_file"),
    path("imports", views.imports_, name="imports"),
    path("imports/<uuid:import_id>", views.import_, name="import"),
]
