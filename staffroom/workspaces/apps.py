from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "staffroom.workspaces"
    label = "workspaces"
