"""The forms of organizations. They hold what was typed; what is right is for the rules to say."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

from staffroom.core.errors import Invalid

from .models import Membership


class Ruled(forms.Form):
    """Fields without rules of their own, so that a rule is written once: `form.refuse(invalid)` shows its sentences."""

    def text(self, name: str) -> str:
        return str(self.data.get(self.add_prefix(name), ""))

    def refuse(self, refused: Invalid) -> None:
        self.full_clean()
        for field, sentences in refused.errors.items():
            self.add_error(field if field in self.fields else None, sentences)


class Line(forms.Field):
    def __init__(self, label: Any, *, required: bool = True, **attrs: str) -> None:
        super().__init__(
            label=label, required=False, widget=forms.TextInput(attrs={"autocomplete": "off", **attrs})
        )
        self.required = required

    def clean(self, value: Any) -> Any:
        return value


class Founding(Ruled):
    """`form_id` makes a repeated submit found nothing new."""

    name = Line(_("Name"))
    slug = Line(_("Address"), required=False, spellcheck="false", autocapitalize="none")
    form_id = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def founding_key(self) -> UUID:
        try:
            return UUID(self.text("form_id"))
        except ValueError:
            return uuid4()


class Name(Ruled):
    name = Line(_("Name"))


class Slug(Ruled):
    slug = Line(_("Address"), spellcheck="false", autocapitalize="none")


class Invite(Ruled):
    email = Line(_("E-mail"), inputmode="email", spellcheck="false", autocapitalize="none")
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[(Membership.MEMBER, _("Member")), (Membership.ADMIN, _("Admin"))],
        initial=Membership.MEMBER,
    )


class InviteMany(Ruled):
    emails = forms.CharField(
        label=_("E-mail addresses"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "autocapitalize": "none"}),
    )
    role = Invite.base_fields["role"]


class Seat(Ruled):
    role = forms.ChoiceField(
        label=_("Role"), choices=[(Membership.ADMIN, _("Admin")), (Membership.MEMBER, _("Member"))]
    )


class Confirmed(Ruled):
    password = forms.CharField(
        label=_("Your password"),
        required=True,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class Closing(Confirmed):
    confirm = Line(_("Address of the organization"), spellcheck="false", autocapitalize="none")
    now = forms.BooleanField(required=False)

    @property
    def at_once(self) -> bool:
        return bool(self.text("now"))


class Transfer(Confirmed):
    leave = forms.BooleanField(required=False)

    @property
    def leaves(self) -> bool:
        return bool(self.text("leave"))
