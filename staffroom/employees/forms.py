"""What the pages ask; the rules judge the values."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from . import catalogue
from .models import Employee
from .settings import ANSWER, PHRASE, Settings


class Hire(forms.Form):
    name = forms.CharField(label=_("Name"), strip=False)
    template = forms.CharField(required=False)


class Copy(forms.Form):
    """`to` is a slug, or nothing for the personal account."""

    to = forms.CharField(required=False)
    name = forms.CharField(label=_("Name of the copy"), required=False, strip=False)

    @property
    def slug(self) -> str | None:
        return str(self.data.get("to", "")) or None


class Persona(forms.Form):
    """Everything that a version holds, and the name."""

    edited = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name"), strip=False)
    persona = forms.CharField(
        label=_("Persona"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"spellcheck": "true"}),
        help_text=_("Who the employee is and how it answers, in Markdown. Facts belong in knowledge."),
    )
    model = forms.ChoiceField(label=_("Model"))
    other_model = forms.CharField(label=_("Another model, by name"), required=False)
    reply_limit = forms.CharField(label=_("Longest reply, in words"))
    temperature = forms.CharField(
        label=_("Temperature"),
        required=False,
        help_text=_("0 is sober, 2 is wild. Leave it empty for the model's own."),
    )
    greeting = forms.CharField(
        label=_("Greeting"), required=False, widget=forms.Textarea(attrs={"rows": 2}), strip=False
    )
    no_answer = forms.ChoiceField(
        label=_("When the knowledge has no answer"),
        choices=[(ANSWER, _("Say so, and answer anyway")), (PHRASE, _("Reply with a set phrase"))],
    )
    no_answer_phrase = forms.CharField(
        label=_("The phrase"), required=False, widget=forms.Textarea(attrs={"rows": 2}), strip=False
    )

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offers = [(offer.name, offer.title) for offer in catalogue.offers()]
        if current not in dict(offers):
            offers.append((current, catalogue.title(current)))
        self.fields["model"] = forms.ChoiceField(label=_("Model"), choices=offers)
        self.providers = catalogue.providers()
        if not self.providers:
            del self.fields["other_model"]

    @classmethod
    def of(cls, employee: Employee) -> Persona:
        return cls(
            current=employee.model,
            initial={
                "edited": employee.version,
                "name": employee.name,
                "persona": employee.persona,
                "model": employee.model,
                **Settings.of(employee.settings).stored,
            },
        )

    @property
    def values(self) -> dict[str, Any]:
        """As `personas.save` takes them, from whatever was typed."""
        typed = {name: str(self.data.get(name, "")) for name in self.fields}
        edited = typed["edited"]
        return {
            "edited": int(edited) if edited.isdecimal() and len(edited) < 9 else 0,
            "name": typed["name"],
            "persona": typed["persona"],
            "model": typed.get("other_model", "").strip() or typed["model"],
            "settings": {name: typed[name] for name in Settings().stored},
        }
