from __future__ import annotations

from typing import Any

from allauth.account.forms import SignupForm
from allauth.core import context
from django import forms
from django.utils.translation import gettext_lazy as _

from staffroom.core.lines import one_line

from . import invited
from .models import User


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


def named(text: str) -> str:
    name = one_line(text)
    if not name:
        raise forms.ValidationError(_("Enter a name that can be seen."))
    return name
