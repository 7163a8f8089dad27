"""What a rule says about input, told to the form it was typed into, so that the typed values stay."""

from __future__ import annotations

from django.forms import BaseForm

from .errors import Invalid


def tell(form: BaseForm, wrong: Invalid) -> None:
    """Field by field; `settings.greeting` belongs to the field `greeting`, the unknown to the whole form."""
    if not hasattr(form, "cleaned_data"):
        form.full_clean()
    for name, sentences in wrong.errors.items():
        field = name.rpartition(".")[2]
        for sentence in sentences:
            form.add_error(field if field in form.fields else None, sentence)
