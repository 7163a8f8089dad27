"""Where gateways knock. The signature is the key; who sends rubbish learns nothing."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from staffroom.core.errors import NotHere
from staffroom.workspaces.doors import public

from .gateways.stripe import events, hearing

log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
@public
def stripe(request: HttpRequest) -> HttpResponse:
    """200 once the event is stored: what cannot be done at once is done by a job."""
    if not settings.STRIPE_WEBHOOK_SECRET:
        raise NotHere
    try:
        told = events.heard(request.body, request.headers.get("Stripe-Signature", ""))
    except events.Forged as forged:
        log.warning("stripe: an event was refused: %s", forged)
        return HttpResponse(status=400)
    hearing.hear(told)
    return HttpResponse(status=200)
