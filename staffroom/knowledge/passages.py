"""Text → passages: about 200 words each, whole sentences, never across a heading, overlapping a little.

A passage is a slice of the text as it was written; together they hold all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from staffroom.core import words

WORDS: Final = 200  # the most words of a passage
OVERLAP: Final = 40  # words repeated from the passage before, at most
LETTERS: Final = 4_000  # the most letters of a passage, for text without words
_KEEP_WHOLE: Final = 120  # with so many words, a passage ends rather than break the next paragraph
_PATH: Final = 300  # letters of a heading's path

_LINE: Final = re.compile(r"[^\n]*\n?")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(```+|~~~+)")
_PARAGRAPH_END: Final = re.compile(r"\n[ \t]*\n\s*|\n(?=[ \t]*(?:[-*+•|]|\d{1,3}[.)])[ \t|])")
_SENTENCE_END: Final = re.compile(r"[.!?…]+[\"'»”’)\]]*\s+|[。！？]+[”』」）]*|[।။។]\s*|(?<=[^\n]{60})\n")


@dataclass(frozen=True, slots=True)
class Piece:
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class _Span:
    """A sentence, or what is left of a long one; `opens` a paragraph of so many words (0: goes on)."""

    start: int
    end: int
    words: int
    opens: int = 0


def cut(text: str) -> list[Piece]:
    """`text` with line ends as `\\n`. A heading is in `Piece.heading`, everything else in `Piece.text`."""
    return [
        Piece(heading, passage)
        for heading, start, end in _sections(text)
        for passage in (_pack(text, start, end) if start < end else [heading.rsplit(" › ", 1)[-1]])
        if passage
    ]


def _sections(text: str) -> Iterator[tuple[str, int, int]]:
    """Path of headings, start and end of what stands below it. A heading with nothing below stands for itself
    (start = end), unless the next one is its child."""
    path: list[tuple[int, str]] = []
    start, said = 0, True
    for at, after, level, title in _headings(text):
        blank = not text[start:at].strip()
        if not blank:
            yield _joined(path), start, at
        elif not said and level <= path[-1][0]:
            yield _joined(path), at, at
        path = [*(step for step in path if step[0] < level), (level, title)]
        start, said = after, False
    if text[start:].strip():
        yield _joined(path), start, len(text)
    elif not said:
        yield _joined(path), start, start


def _joined(path: list[tuple[int, str]]) -> str:
    return " › ".join(title for _, title in path)[-_PATH:]


def _headings(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Where it starts, where the text after it starts, level, title. Not inside fenced code."""
    fence, former, alone = "", (0, ""), True
    for line in _LINE.finditer(text):
        content = line[0].rstrip("\n")
        if opened := _FENCE.match(content):
            fence = "" if fence and opened[1].startswith(fence) else fence or opened[1]
        elif fence:
            pass
        elif len(content) <= _PATH and (found := _HEADING.match(content)) and found[2]:
            yield line.start(), line.end(), len(found[1]), found[2]
            content = ""
        elif (under := _UNDERLINE.match(content)) and former[1] and alone and len(former[1]) <= 120:
            yield former[0], line.end(), 1 if under[1][0] == "=" else 2, former[1].strip()
            content = ""
        alone, former = not former[1], (line.start(), "" if fence else content.strip())


def _pack(text: str, start: int, end: int) -> Iterator[str]:
    """Sentences into passages, as many as fit; the next one begins with the last words of this one."""
    held: list[_Span] = []
    have, fresh = 0, 0  # words held; how many spans of them no passage has yet
    for span in _spans(text, start, end):
        if fresh and not _fits(held[0].start, have, span):
            yield _slice(text, held)
            held, fresh = _tail(held, span), 0
            have = sum(one.words for one in held)
        held.append(span)
        have, fresh = have + span.words, fresh + 1
    if fresh:
        yield _slice(text, held)


def _fits(start: int, have: int, span: _Span) -> bool:
    if have >= _KEEP_WHOLE and have + span.opens > WORDS >= span.opens:
        return False
    return have + span.words <= WORDS and span.end - start <= LETTERS


def _tail(held: list[_Span], following: _Span) -> list[_Span]:
    """The last sentences, at most `OVERLAP` words, that leave room for the following one."""
    have, kept = 0, len(held)
    while kept > 1:
        span = held[kept - 1]
        have += span.words
        if (
            have > OVERLAP
            or held[-1].end - span.start > LETTERS // 5
            or not _fits(span.start, have, following)
        ):
            break
        kept -= 1
    return held[kept:]


def _slice(text: str, held: list[_Span]) -> str:
    return text[held[0].start : held[-1].end].strip()


def _spans(text: str, start: int, end: int) -> Iterator[_Span]:
    for first, last in _between(_PARAGRAPH_END, text, start, end):
        sentences = [
            _Span(a, b, words.count(text[a:b]))
            for from_, to in _between(_SENTENCE_END, text, first, last)
            for a, b in _bounded(text, from_, to)
        ]
        for number, span in enumerate(sentences):
            if number == 0 and len(sentences) > 1:
                yield _Span(span.start, span.end, span.words, sum(one.words for one in sentences))
            else:
                yield span


def _between(ends: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for found in ends.finditer(text, start, end):
        yield start, found.end()
        start = found.end()
    if start < end:
        yield start, end


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentence itself, or parts of one that is longer than a passage, cut between words."""
    while start < end:
        window = text[start : min(end, start + LETTERS)]
        whole = words.cut(window, WORDS)
        if len(whole.rstrip()) < len(window.rstrip()) and whole:
            stop = start + len(whole)
        elif start + len(window) < end and (blank := window.rstrip().rfind(" ")) > LETTERS // 2:
            stop = start + blank
        else:
            stop = start + len(window)
        yield start, stop
        start = stop
