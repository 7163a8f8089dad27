from __future__ import annotations

import struct
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import SignupForm
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, BaseAuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.utils.translation import gettext_lazy as _

from staffroom.core.lines import one_line

from . import codes, invited
from .models import User
from .security import factors


class Signup(SignupForm):
    """allauth's form with a name, which comes first because that is how one introduces oneself."""

    name = forms.CharField(
        label=_("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ["name", "email", "password1"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("E-mail")
        self.fields["email"].widget.attrs.pop("placeholder", None)
        self.invited = invited.recall(context.request.session)
        if self.invited:
            self.fields["email"].initial = self.invited.email
            self.fields["email"].disabled = True  # also on the server: what is posted is not read

    def clean_name(self) -> str:
        return named(self.cleaned_data["name"])


class Settings(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name", "language", "theme"]
        widgets = {
            "language": forms.Select(choices=[("en", "English"), ("ru", "Русский")]),
            "theme": forms.RadioSelect,
        }
        labels = {"name": _("Your name"), "language": _("Language"), "theme": _("Theme")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = True

    def clean_name(self) -> str:
        return named(self.cleaned_data["name"])

    def clean_language(self) -> str:
        language = str(self.cleaned_data["language"])
        if language not in {"en", "ru"}:
            raise forms.ValidationError(_("Choose one of the languages in the list."))
        return language


class Theme(forms.ModelForm):
    class Meta:
        model = User
        fields = ["theme"]


class _Spent(BaseAuthenticateForm):
    """allauth's question for a code, answered by our own look at it."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )

    @property
    def has_app(self) -> bool:
        return factors(self.user).app is not None

    def clean_code(self) -> str:
        try:
            self.authenticator = codes.use(self.cleaned_data["code"], self.user)
        except codes.WrongCode as wrong:
            raise forms.ValidationError(str(wrong)) from None
        return str(self.cleaned_data["code"])

    def save(self) -> None:
        super().save()
        if self.authenticator.type == Authenticator.Type.RECOVERY_CODES:
            left = factors(self.user).codes_left
            get_adapter(context.request).send_notification_mail(
                "mfa/email/recovery_code_used", self.user, {"left": left}
            )


class Code(_Spent, AuthenticateForm):
    pass


class CodeAgain(_Spent, ReauthenticateForm):
    pass


# What fido2 raises for an answer that no browser gives.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RecursionError, struct.error)


class Credential(forms.JSONField):
    """What a browser says of a passkey, up to the size that one can have."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > 64_000:
            raise forms.ValidationError(_("That is no passkey."))
        try:
            return super().to_python(value)
        except RecursionError:
            raise forms.ValidationError(_("That is no passkey.")) from None


class _Shown(AuthenticateWebAuthnForm):
    credential = Credential()

    def clean_credential(self) -> Authenticator:
        try:
            return super().clean_credential()
        except MALFORMED:
            raise forms.ValidationError(_("That is no passkey of this account.")) from None


class Passkey(_Shown, AuthenticateWebAuthnForm):
    pass


class PasskeyAlone(_Shown, LoginWebAuthnForm):
    pass


class PasskeyAgain(_Shown, ReauthenticateWebAuthnForm):
    pass


class NewPasskey(AddWebAuthnForm):
    credential = Credential()
    name = forms.CharField(label=_("Name"), required=False, max_length=60)

    def clean_name(self) -> str:
        return one_line(super().clean_name())

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except MALFORMED:
            raise forms.ValidationError(_("That is no passkey.")) from None


class PasskeyName(EditWebAuthnForm):
    name = forms.CharField(label=_("Name"), max_length=60)

    def clean_name(self) -> str:
        return named(self.cleaned_data["name"])


def named(text: str) -> str:
    name = one_line(text)
    if not name:
        raise forms.ValidationError(_("Enter a name that can be seen."))
    return name
