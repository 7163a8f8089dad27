"""Where every package's routes are mounted: one line each."""

from __future__ import annotations

from importlib.metadata import version

from django.urls import path
from ninja import NinjaAPI

from staffroom.accounts.routes import router as accounts
from staffroom.billing.routes import router as billing
from staffroom.chats.routes import router as chats
from staffroom.employees.routes import router as employees
from staffroom.knowledge.routes import router as knowledge
from staffroom.workspaces.routes import router as workspaces

from . import problems, views

api = NinjaAPI(
    title="Staffroom",
    version=version("staffroom"),
    description="Everything a page can do. See the notes on errors, lists and repeated writes at the top.",
    parser=problems.Reader(),
    urls_namespace="api",
    openapi_url="",
    docs_url="",
)
problems.register(api)
api.add_router("", accounts)
api.add_router("", workspaces)
api.add_router("", chats)
api.add_router("", employees)
api.add_router("", knowledge)
api.add_router("", billing)

urlpatterns = [
    path("openapi.json", views.openapi, {"api": api}, name="openapi"),
    path("docs", views.docs, {"api": api}, name="api-docs"),
    path("", api.urls),
]
