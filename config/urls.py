"""Every address of the program. What stands in `context_pages` exists below /me/ and below /o/<slug>/."""

from django.urls import include, path, re_path

from staffroom.api import health
from staffroom.billing import webhooks
from staffroom.workspaces import urls as workspaces
from staffroom.workspaces.views import contexts

handler404 = "staffroom.core.answers.not_found"
handler429 = "staffroom.core.answers.too_often"
handler500 = "staffroom.core.answers.broken"

context_pages: list = [
    path("", include("staffroom.dashboard.urls")),
    *workspaces.context_pages,
    path("", include("staffroom.chats.urls")),
    path("", include("staffroom.employees.urls")),
    path("", include("staffroom.knowledge.urls")),
    path("", include("staffroom.archives.urls")),
    path("", include("staffroom.billing.urls")),
]

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include("staffroom.api.urls")),
    path("accounts/", include("staffroom.accounts.urls")),
    path("webhooks/stripe", webhooks.stripe, name="webhook_stripe"),
    path("dev/", include("staffroom.core.urls")),
    path("me/", include((context_pages, "me"))),
    path("o/<slug:slug>/", include((context_pages, "o"))),
    re_path(
        r"^(?P<path>(?:organization|billing|chats|employees|knowledge)(?:/.*)?)$",
        contexts.bare,
        name="bare",
    ),
    path("", include(workspaces)),
    path("", contexts.bare, name="home"),
]
