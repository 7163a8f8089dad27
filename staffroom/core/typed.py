"""What a rule says about input, told to the form it was typed into, so that the typed values stay."""

from __future__ import annotations

from django.forms import BaseForm
from django.forms.utils import ErrorDict

from .errors import Invalid


def tell(form: BaseForm, wrong: Invalid) -> None:
    """Field by field; `settings.greeting` belongs to the field `greeting`, the unknown to the whole form."""
    form._errors, form.cleaned_data = ErrorDict(), {}  # type: ignore[attr-defined]  # only the rule judges
    for name, sentences in wrong.errors.items():
        field = name.rpartition(".")[2]
        for sentence in sentences:
            form.add_error(field if field in form.fields else None, sentence)
