"""Words, the unit that replies are paid in.

A word is a segment between the word boundaries of UAX #29 that holds a letter or a number. Each
ideograph and each hiragana is a segment of its own there, so it counts as one.

Thai, Lao, Khmer, Burmese and their kin write no spaces; the standard leaves them to a dictionary and
without one would call every letter a word. Here every four letters begun of such a run are one word,
about the length that their words have, so that nobody pays several times for the same sentence.
"""

import re
from collections.abc import Callable
from typing import Final

import regex  # type: ignore[import-untyped]


def _word(chars: Callable[[str], str]) -> str:
    """The pattern of one word; `chars` writes a set of characters in the spelling of an engine."""
    letter, hebrew = chars(r"\p{WB=ALetter}"), chars(r"\p{WB=Hebrew_Letter}")
    number, katakana = chars(r"\p{WB=Numeric}"), chars(r"\p{WB=Katakana}")
    joiner, quote = chars(r"\p{WB=ExtendNumLet}"), chars(r"\p{WB=Double_Quote}")
    in_letters = chars(r"[\p{WB=MidLetter}\p{WB=MidNumLet}\p{WB=Single_Quote}]")
    in_numbers = chars(r"[\p{WB=MidNum}\p{WB=MidNumLet}\p{WB=Single_Quote}]")
    marks = chars(r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]") + "*+"
    unspaced = chars(r"[\p{LB=SA}&&\p{WB=Other}]")
    alone = chars(r"[[[\p{Alphabetic}\p{N}]&&\p{WB=Other}]--\p{LB=SA}]")

    between = rf"{in_letters}{marks}(?={letter}|{hebrew})"
    letters = rf"{letter}++{marks}(?:{between})?+|{hebrew}{marks}(?:{quote}{marks}(?={hebrew})|{between})?+"
    numbers = rf"{number}++{marks}(?:{in_numbers}{marks}(?={number}))?+"
    run = rf"(?:(?:{letters}|{numbers})++|(?:{katakana}{marks})++)"
    return rf"{run}(?:(?:{joiner}{marks})++{run})*+|(?:{unspaced}{marks}){{1,4}}+|{alone}"


def _spelled_out(chars: str) -> str:
    """The set as ranges within the common alphabets, for `re`: it knows no properties but is ten times faster."""
    matches = regex.compile(chars, regex.VERSION1).match
    members = [char for char in map(chr, [*range(0x590), *range(0x2000, 0x20D0)]) if matches(char)]
    return f"[{''.join(map(re.escape, members))}]" if members else "(?!)"


_WORD: Final = regex.compile(_word(str), regex.VERSION1)
_COMMON_WORD: Final = re.compile(_word(_spelled_out))
_UNCOMMON: Final = re.compile("[^\0-\u058f\u2000-\u20cf]")
"""Beyond Latin, Greek, Cyrillic, Armenian and the punctuation around them."""
_LAST_IDEOGRAPH: Final = regex.compile(
    r"[[\p{Han}\p{Hiragana}]&&\p{WB=Other}]", regex.VERSION1 | regex.REVERSE
)


def count(text: str) -> int:
    """How many words the text holds."""
    if _UNCOMMON.search(text):
        return len(_WORD.findall(text))
    return len(_COMMON_WORD.findall(text))


def cut(text: str, words: int) -> str:
    """The longest beginning of the text with at most that many words, without the blanks before the cut."""
    matches = _WORD.finditer(text) if _UNCOMMON.search(text) else _COMMON_WORD.finditer(text)
    for number, match in enumerate(matches):
        if number == words:
            return text[: match.start()].rstrip()
    return text


class Counter:
    """Counts a text that arrives in pieces: after any pieces, `words` is `count` of all of them joined."""

    __slots__ = ("_settled", "_tail")

    def __init__(self) -> None:
        self._settled = 0
        self._tail = ""

    def feed(self, piece: str) -> None:
        tail = self._tail + piece
        at = _last_sure_boundary(tail, len(self._tail))
        if at > 0:
            self._settled += count(tail[:at])
            tail = tail[at:]
        self._tail = tail

    @property
    def words(self) -> int:
        return self._settled + count(self._tail)

    def cut(self, piece: str, words: int) -> str:
        """The longest beginning of the piece that can still be fed without exceeding that many words."""
        return cut(self._tail + piece, words - self._settled)[len(self._tail) :]


def _last_sure_boundary(text: str, start: int) -> int:
    """Where a word ends whatever comes next: before the last blank, line end or ideograph from start on."""
    at = max(text.rfind(" ", start), text.rfind("\n", start))
    if text.isascii():
        return at
    ideograph = _LAST_IDEOGRAPH.search(text, max(at, start))
    return ideograph.start() if ideograph else at
