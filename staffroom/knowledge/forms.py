from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class Text(forms.Form):
    """The rules look at the values (`sources.add`); this only says what is asked."""

    title = forms.CharField(label=_("Title"), strip=False)
    text = forms.CharField(
        label=_("Text"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "true", "class": "form-control"}),
        help_text=_(
            "Headings in Markdown (# Returns) help to find the right part. Blank lines part paragraphs."
        ),
    )
