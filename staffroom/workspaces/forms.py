"""The forms of organizations. They hold what was typed; what is right is for the rules to say."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from staffroom.core.errors import Invalid, StaffroomError

from .models import Membership


class Ruled(forms.Form):
    """Fields without rules of their own, so that a rule is written once: `form.refuse(invalid)` shows its sentences."""

    def text(self, name: str) -> str:
        return str(self.data.get(self.add_prefix(name), ""))

    def say(self, refused: StaffroomError) -> None:
        """What stood in the way: beside its field, or above the form."""
        self.refuse(refused if isinstance(refused, Invalid) else Invalid({"": [str(refused)]}))

    def refuse(self, refused: Invalid) -> None:
        self.full_clean()
        for field, sentences in refused.errors.items():
            self.add_error(field if field in self.fields else None, sentences)


class Line(forms.Field):
    widget: Any = forms.TextInput

    def __init__(self, label: Any, *, required: bool = True, **attrs: str) -> None:
        super().__init__(
            label=label, required=False, widget=self.widget(attrs={"autocomplete": "off", **attrs})
        )
        self.required = required

    def clean(self, value: Any) -> Any:
        return value


class Lines(Line):
    widget = forms.Textarea


def _uuid(given: str) -> UUID | None:
    try:
        return UUID(given)
    except ValueError:
        return None


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
    emails = Lines(_("E-mail addresses"), rows="8", spellcheck="false", autocapitalize="none")
    role = Invite.base_fields["role"]


class NewKey(Ruled):
    """`form_id` makes a repeated submit make nothing new."""

    name = Line(_("Name"))
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[(Membership.MEMBER, _("Member")), (Membership.ADMIN, _("Admin"))],
        initial=Membership.MEMBER,
    )
    form_id = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def made_by_form(self) -> UUID:
        return _uuid(self.text("form_id")) or uuid4()


class NewOwnKey(NewKey):
    """For a person; the role is the person's own. `places` are read where `reach` is “some”."""

    role = None  # type: ignore[assignment]
    reach = forms.ChoiceField(choices=[("all", ""), ("some", "")], initial="all")
    places = forms.Field(required=False)

    def only(self) -> list[UUID] | None:
        if self.text("reach") != "some":
            return None
        chosen = [_uuid(one) for one in self.chosen]
        return [one for one in chosen if one] if all(chosen) else []

    @property
    def chosen(self) -> list[str]:
        return self.data.getlist("places") if isinstance(self.data, QueryDict) else []

    @property
    def reaches(self) -> str:
        return self.text("reach") or "all"


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
