"""What people type: names and subjects on one line, texts on many."""

import re
import unicodedata

from django.utils.translation import gettext as _

from .errors import Invalid

# Controls, line and paragraph separators, and the marks that turn the reading direction of what follows them.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def one_line(text: str) -> str:
    """Composed (NFC), on one line, without what nobody sees but what breaks pages and mail headers."""
    return " ".join(_UNSEEN.sub(" ", unicodedata.normalize("NFC", text)).split())


# What takes no room and only makes two names look alike, and halves of surrogate pairs, which cannot be stored.
# Joiners (U+200C, U+200D) stay: Persian words and families of emoji need them.
_WIDTHLESS = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u2060-\u2064\u206a-\u206f\ufff9-\ufffb\ud800-\udfff]"
)
_BLANK = set("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and signs that are drawn as nothing


def visible_line(text: str, field: str, longest: int) -> str:
    """One line that a person can see; raises `Invalid` for `field` when it is empty or too long."""
    line = one_line(_WIDTHLESS.sub("", text))
    if not any(unicodedata.category(char)[0] in "LNPS" and char not in _BLANK for char in line):
        raise Invalid({field: [_("This is needed.") if not line else _("Use letters that can be seen.")]})
    if len(line) > longest:
        raise Invalid({field: [_("Use at most %(longest)s characters.") % {"longest": longest}]})
    return line


def storable(text: str) -> str:
    """A text of many lines, as PostgreSQL can hold it: line ends as \\n, no NUL, no half characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").removeprefix("\ufeff")
    return text.encode("utf-8", "ignore").decode()


def is_blank(text: str) -> bool:
    """Nothing in it can be seen: blanks, controls, and signs without any width."""
    return all(char in _BLANK or unicodedata.category(char) in _BLANKS for char in text)


_BLANKS = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
