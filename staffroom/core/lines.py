"""What people type into one line: names, subjects."""

import re
import unicodedata

# Controls, line and paragraph separators, and the marks that turn the reading direction of what follows them.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def one_line(text: str) -> str:
    """Composed (NFC), on one line, without what nobody sees but what breaks pages and mail headers."""
    return " ".join(_UNSEEN.sub(" ", unicodedata.normalize("NFC", text)).split())
