"""Names of organizations: one line that can be seen, 1 to 80 characters."""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid
from staffroom.core.lines import one_line

LONGEST = 80
# What takes no room and only makes two names look like one. Joiners (U+200C, U+200D) stay: Persian words and
# families of emoji need them. A lone half of a surrogate pair cannot be stored at all.
_WIDTHLESS = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u2060-\u2064\u206a-\u206f\ufff9-\ufffb\ud800-\udfff]"
)
_BLANK = set("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and signs that are drawn as nothing


def checked(text: str) -> str:
    name = one_line(_WIDTHLESS.sub("", text)) if isinstance(text, str) else ""
    if not name:
        raise Invalid({"name": [_("Enter a name.")]})
    if not any(map(_is_seen, name)):
        raise Invalid({"name": [_("Enter a name that can be seen.")]})
    if len(name) > LONGEST:
        raise Invalid({"name": [_("Use at most 80 characters.")]})
    return name


def _is_seen(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANK
