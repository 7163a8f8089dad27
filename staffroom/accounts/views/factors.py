"""allauth's pages for setting up a second factor, where ours do a little more."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView, ReauthenticateWebAuthnView, RemoveWebAuthnView
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from staffroom.workspaces.factors import requiring

from .. import browsers
from ..security import has_second_factor
from .passkeys import obstacle


class _First:
    """Whoever signed in elsewhere without it shall show the new second factor, too."""

    request: Any

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return shown | {
            "is_first": not has_second_factor(self.request.user),
            "obstacle": obstacle(self.request),
        }

    def form_valid(self, form: Any) -> HttpResponse:
        is_first = not has_second_factor(self.request.user)
        answer: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        if is_first:
            browsers.sign_out_all(self.request.user, but=self.request.session.session_key)
        return answer

    def get_success_url(self) -> str:
        if self.did_generate_recovery_codes:  # type: ignore[attr-defined]
            return reverse("mfa_view_recovery_codes")
        return reverse("account_onward")


class _Last:
    """Who removes the only second factor is told which organizations that closes."""

    request: Any

    def removed(self) -> Authenticator:
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        is_last = not has_second_factor(self.request.user, but=self.removed())
        return shown | {"lost": requiring(self.request.user.id) if is_last else []}


class AddApp(_First, ActivateTOTPView):
    pass


class AddPasskey(_First, AddWebAuthnView):
    pass


class RemoveApp(_Last, DeactivateTOTPView):
    def removed(self) -> Authenticator:
        return self.authenticator


class RemovePasskey(_Last, RemoveWebAuthnView):
    def removed(self) -> Authenticator:
        return self.object


class PasskeyAgain(ReauthenticateWebAuthnView):
    def form_invalid(self, form: Any) -> HttpResponse:
        """allauth would lead to the sign-in page, and from there home."""
        for sentence in form.errors.get("credential", []):
            messages.error(self.request, sentence)
        return HttpResponseRedirect(self.passthrough_next_url(self.request.path))


add_app = never_cache(AddApp.as_view())
add_passkey = never_cache(AddPasskey.as_view())
remove_app = never_cache(RemoveApp.as_view())
remove_passkey = never_cache(RemovePasskey.as_view())
passkey_again = never_cache(PasskeyAgain.as_view())
recovery_codes = never_cache(ViewRecoveryCodesView.as_view())
