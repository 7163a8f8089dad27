from django.urls import path

from . import views

urlpatterns = [
    path("mail", views.mails, name="dev_mails"),
    path("mail/<str:name>", views.mail, name="dev_mail"),
    path("mail/<str:name>/html", views.mail_html, name="dev_mail_html"),
    path("ui", views.gallery, name="dev_ui"),
    path("ui/contexts", views.gallery_contexts, name="dev_ui_contexts"),
    path("ui/errors/<int:status>", views.gallery_error, name="dev_ui_error"),
]
