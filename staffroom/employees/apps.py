from django.apps import AppConfig


class EmployeesConfig(AppConfig):
    name = "staffroom.employees"
    label = "employees"
