"""Where every package's routes are mounted: one line each."""

from __future__ import annotations

from importlib.metadata import version

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from ninja import NinjaAPI

from staffroom.accounts.routes import router as accounts
from staffroom.archives.routes import router as archives
from staffroom.billing.routes import router as billing
from staffroom.chats.routes import router as chats
from staffroom.employees.routes import router as employees
from staffroom.knowledge.routes import router as knowledge
from staffroom.workspaces.routes import router as workspaces

from . import problems, views
from .addresses import grouped


class Api(NinjaAPI):
    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        """Ninja makes one for each call, to be filled; ours are made by the door, so one serves all as a stand-in."""
        return _STAND_IN


_STAND_IN = HttpResponse()

api = Api(
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
api.add_router("", archives)
api.add_router("", billing)

_patterns, _application, _namespace = api.urls
urlpatterns = [
    path("openapi.json", views.openapi, {"api": api}, name="openapi"),
    path("docs", views.docs, {"api": api}, name="api-docs"),
    path("", include((grouped(_patterns), _application), namespace=_namespace)),
]
