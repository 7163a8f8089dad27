"""Slugs: the public name of an organization in every address. Rules of PRODUCT 3, "Create"."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from functools import cache
from uuid import UUID

from anyascii import anyascii
from django.db import connection
from django.urls import get_resolver
from django.urls.resolvers import RegexPattern, URLPattern, URLResolver
from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid

SHORTEST, LONGEST = 2, 40
_LETTERS = re.compile(r"[A-Za-z0-9-]+")
_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DICE = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is read as something else

# Words that are no address of the program today, but that people would take for one, and addresses of later parts.
_KEPT = """
    me o v1 api app admin accounts account settings security organization organizations contexts
    invitations members owner user users login logout signin signup sign-in sign-up sign-out register
    password verify dashboard chats employees knowledge billing profiles broadcasts connections channels
    support live dev new static media files assets favicon robots healthz readyz metrics health status
    webhooks webhook hooks oauth mail www help about docs terms privacy legal pricing blog news staffroom
    system root public internal null undefined none anonymous personal everyone exports audit search
    export import home index error errors
""".split()  # noqa: SIM905 - a list to be read, not to be quoted


class SlugRefused(Invalid):
    def __init__(self, sentence: str) -> None:
        super().__init__({"slug": [sentence]}, code=type(self).code)


class SlugMalformed(SlugRefused):
    code = "slug_malformed"


class SlugReserved(SlugRefused):
    code = "slug_reserved"


class SlugTaken(SlugRefused):
    code = "slug_taken"


def checked(text: str) -> str:
    """The slug in lower case; raises `SlugMalformed` or `SlugReserved` with the rule that broke."""
    if not isinstance(text, str) or not _LETTERS.fullmatch(text := text.strip()):
        raise SlugMalformed(_("Use Latin letters, digits and hyphens only."))
    if text.startswith("-") or text.endswith("-"):
        raise SlugMalformed(_("A hyphen cannot be the first or the last character."))
    if len(text) < SHORTEST:
        raise SlugMalformed(_("Use at least 2 characters."))
    if len(text) > LONGEST:
        raise SlugMalformed(_("Use at most 40 characters."))
    slug = text.lower()
    if slug in reserved():
        raise SlugReserved(
            _("“%(slug)s” is reserved for the program itself. Choose another one.") % {"slug": slug}
        )
    return slug


def wished(text: str) -> str:
    """As `checked`; nothing typed means that one is made from the name."""
    return checked(text) if str(text or "").strip() else ""


def available(text: str) -> str:
    """For the check while typing: as `checked`, and `SlugTaken` when somebody has it at this moment."""
    slug = checked(text)
    if _taken([slug]):
        raise _is_taken(slug)
    return slug


def claim(slug: str, workspace_id: UUID) -> None:
    """Take it, or raise `SlugTaken`; of two at the same moment one has it."""
    if not _claimed(slug, workspace_id):
        raise _is_taken(slug)


def claim_for(name: str, workspace_id: UUID) -> str:
    """Take one made from the name: itself, with a number, and at the last with random letters."""
    while not _claimed(slug := suggested(name), workspace_id):
        pass  # somebody was faster; the next suggestion leaves theirs out
    return slug


def suggested(name: str) -> str:
    """What a blank slug becomes for this name, if nobody is faster."""
    choices = list(_choices(name))
    taken = _taken(choices) | reserved()
    return next((choice for choice in choices if choice not in taken), "") or _random(_from(name))


def _choices(name: str) -> Iterator[str]:
    base = _from(name)
    if len(base) >= SHORTEST:
        yield base
    if base:
        yield from (_with(base, str(number)) for number in range(2, 20))


def _from(name: str) -> str:
    """“Ёлка & Söhne” → elka-sohne; empty when no letter or digit is left."""
    words = re.findall(r"[a-z0-9]+", anyascii(name).lower().replace("'", ""))
    return "-".join(words)[:LONGEST].strip("-")


def _with(base: str, suffix: str) -> str:
    return f"{base[: LONGEST - len(suffix) - 1].rstrip('-')}-{suffix}"


def _random(base: str) -> str:
    return _with(base or "org", "".join(secrets.choice(_DICE) for _place in range(8)))


def _claimed(slug: str, workspace_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT claim_slug(%s, %s)", [slug, workspace_id])
        return bool(cursor.fetchone()[0])


def _taken(slugs: list[str]) -> set[str]:
    """Live ones, and former ones that are still held."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT taken_slugs(%s::varchar[])", [slugs])
        return {slug for (slug,) in cursor.fetchall()}


def _is_taken(slug: str) -> SlugTaken:
    return SlugTaken(_("“%(slug)s” is taken. Choose another one.") % {"slug": slug})


@cache
def reserved() -> frozenset[str]:
    """Every first path segment that the program uses, below its root, its contexts and its API, and their plurals."""
    words = {*_KEPT, *_segments(get_resolver().url_patterns)}
    return frozenset(words | {plural for word in words for plural in _plurals(word)})


def _plurals(word: str) -> list[str]:
    return [f"{word}s", f"{word}es", *([f"{word[:-1]}ies"] if word.endswith("y") else [])]


def _segments(patterns: Iterable[URLPattern | URLResolver], depth: int = 0) -> Iterator[str]:
    for pattern in patterns:
        yield from _first(pattern)
        if isinstance(pattern, URLResolver) and depth < 2:
            yield from _segments(pattern.url_patterns, depth + 1)


def _first(pattern: URLPattern | URLResolver) -> Iterator[str]:
    if isinstance(pattern.pattern, RegexPattern):
        without_names = re.sub(r"\?P<\w+>", "", str(pattern.pattern))
        yield from _WORD.findall(re.sub(r"\\.", " ", without_names))
    else:
        segment = str(pattern.pattern).partition("/")[0]
        if _WORD.fullmatch(segment):
            yield segment
