from django.urls import include, path, re_path

from . import views

urlpatterns = [
    path("settings", views.settings, name="account_settings"),
    path("signup/other", views.other_address, name="account_other_address"),
    path("theme", views.theme, name="account_theme"),
    re_path(r"^(?P<page>login|signup|logout|email|password/reset|password/change)$", views.with_slash),
    path("", include("allauth.account.urls")),
]
