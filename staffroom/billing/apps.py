from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "staffroom.billing"
    label = "billing"
