"""The wall around employees; a link never joins two workspaces."""

from django.db import migrations

from staffroom.core.wall import SameWorkspace, Wall


class Migration(migrations.Migration):
    dependencies = [
        ("employees", "0001_initial"),
        ("knowledge", "0002_wall"),
        ("workspaces", "0002_wall"),
    ]
    operations = [
        Wall("employees_employee"),
        Wall("employees_version"),
        Wall("employees_employeesource"),
        SameWorkspace("employees_version", "employee_id", "employees_employee"),
        SameWorkspace("employees_employeesource", "employee_id", "employees_employee"),
        SameWorkspace("employees_employeesource", "source_id", "knowledge_source"),
    ]
