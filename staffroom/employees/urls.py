from django.urls import path

from . import views

urlpatterns = [
    path("employees", views.employees, name="employees"),
    path("employees/new", views.new, name="employees_new"),
    path("employees/<uuid:employee_id>", views.employee, name="employee"),
    path("employees/<uuid:employee_id>/persona", views.persona, name="employee_persona"),
    path("employees/<uuid:employee_id>/shift", views.shift, name="employee_shift"),
    path("employees/<uuid:employee_id>/knowledge", views.knowledge, name="employee_knowledge"),
    path("employees/<uuid:employee_id>/copy", views.copy, name="employee_copy"),
    path("employees/<uuid:employee_id>/versions", views.versions, name="employee_versions"),
    path(
        "employees/<uuid:employee_id>/versions/<int:number>/restoration",
        views.restoration,
        name="employee_restoration",
    ),
    path("employees/<uuid:employee_id>/dismissal", views.dismissal, name="employee_dismissal"),
]
