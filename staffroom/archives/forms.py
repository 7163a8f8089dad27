from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class Upload(forms.Form):
    """The rule looks at the file (`imports.start`); this only says what is asked."""

    archive = forms.FileField(
        label=_("Archive"),
        help_text=_("The ZIP file of an export, from here or from another installation."),
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip", "class": "form-control"}),
        error_messages={"required": _("Choose the ZIP file of an export.")},
    )
