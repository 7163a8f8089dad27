"""The readable half of an archive: static pages without any script, everything escaped."""

from __future__ import annotations

from datetime import datetime
from typing import IO, Any, Final

import msgspec
from django.utils.html import escape
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

from ..format import INDEX, chats_file
from ..writer import Writer

_STYLE: Final = """
:root{color-scheme:light dark;--line:light-dark(#dfe3ea,#333a45);--soft:light-dark(#f4f6f9,#1b2028)}
body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:16px/1.55 system-ui,sans-serif;
color:light-dark(#1b222c,#e6eaf0);background:light-dark(#fff,#12161c)}
h1{font-size:1.5rem}h2{margin:2.5rem 0 .5rem;padding-top:1rem;border-top:1px solid var(--line);font-size:1.15rem}
a{color:light-dark(#1f5fc4,#8fb8ff)}table{border-collapse:collapse}td,th{padding:.3rem 1rem .3rem 0;text-align:start}
.said{margin:.75rem 0;padding:.6rem .9rem;border:1px solid var(--line);border-radius:.6rem}
.said.employee,.said.manager{margin-inline-start:2.5rem;background:var(--soft)}.said.customer{margin-inline-end:2.5rem}
.said header,.said footer,.small{font-size:.8rem;color:light-dark(#56606e,#9aa5b4)}
.said p{margin:.25rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
nav{margin:1.5rem 0;display:flex;gap:1rem}
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


class Talks:
    """One page of chats; `begun` is the chat that began on the page before."""

    def __init__(self, out: IO[bytes], number: int, begun: dict[str, Any] | None) -> None:
        self.out, self.number, self.chat = out, number, begun
        self._say(_head(_("Chats, part %(number)s") % {"number": number}))
        if begun:
            self._open(begun)
        self._is_new = bool(begun)

    def add(self, line: dict[str, Any]) -> None:
        if line["type"] == "chat":
            self.chat, self._is_new = line, False
            self._open(line)
        else:
            if self._is_new:
                self._say(f'<p class="small">{escape(_("(continued)"))}</p>\n')
            self._is_new = False
            self._say(_said(line))

    def end(self, *, goes_on: bool) -> dict[str, Any] | None:
        links: list[str] = [f'<a href="../{INDEX}">{escape(_("Contents"))}</a>']
        if self.number > 1:
            links.append(_link(self.number - 1, _("Earlier")))
        if goes_on:
            links.append(_link(self.number + 1, _("Later")))
        self._say(f"<nav>{''.join(links)}</nav>\n</body></html>\n")
        return self.chat

    def _open(self, chat: dict[str, Any]) -> None:
        who = chat["customer_name"] or chat["external_id"] or _("Customer")
        self._say(
            f'<h2 id="{chat["id"]}"><bdi>{escape(who)}</bdi> · <bdi>{escape(chat["employee_name"])}</bdi></h2>\n'
            f'<p class="small">{_time(chat["created_at"])} · {escape(chat["channel"])}</p>\n'
        )

    def _say(self, text: str) -> None:
        self.out.write(text.encode())


def index(archive: Writer, context: dict[str, Any], counts: dict[str, int]) -> None:
    """Where somebody who unpacks the archive begins to read."""
    facts = [
        (_("Members"), counts["members"]),
        (_("AI employees"), counts["employees"]),
        (_("Knowledge sources"), counts["sources"]),
        (_("Chats"), counts["chats"]),
        (_("Messages"), counts["messages"]),
    ]
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{number}</td></tr>\n" for name, number in facts)
    parts = "".join(
        f"<li>{_link(number, _('Chats, part %(number)s') % {'number': number}, 'chats/')}</li>\n"
        for number in range(1, counts["files_of_chats"] + 1)
    )
    with archive.entry(INDEX) as sink:
        sink.write(_head(context["name"]).encode())
        sink.write(f'<p class="small">{_time(archive.made_at)}</p>\n<table>\n{rows}</table>\n'.encode())
        sink.write(f"<h2>{escape(_('Chats'))}</h2>\n<ul>\n{parts}</ul>\n</body></html>\n".encode())


def _head(title: str) -> str:
    direction = "rtl" if get_language_bidi() else "ltr"
    return (
        f'<!doctype html>\n<html lang="{get_language() or "en"}" dir="{direction}"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head><body>\n<h1><bdi>{escape(title)}</bdi></h1>\n"
    )


def _said(line: dict[str, Any]) -> str:
    notes: list[str] = []
    if line["charged"] is not None:
        notes.append(escape(_("%(words)s words") % {"words": line["charged"]}))
    if line["model"]:
        notes.append(escape(line["model"]))
    if cited := line["citations"]:
        titles = {one.get("title", ""): None for one in msgspec.json.decode(cited)}
        notes.append(", ".join(f"<cite><bdi>{escape(title)}</bdi></cite>" for title in titles))
    below = f"<footer>{' · '.join(notes)}</footer>" if notes else ""
    name = line["name"] or _("Customer")
    return (
        f'<article class="said {escape(line["author"])}"><header><bdi>{escape(name)}</bdi> · {_time(line["at"])}'
        f'</header><p dir="auto">{escape(line["text"])}</p>{below}</article>\n'
    )


def _time(at: datetime) -> str:
    return f'<time datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M} UTC</time>'


def _link(number: int, label: str, folder: str = "") -> str:
    name = chats_file(number, "html").rpartition("/")[2]
    return f'<a href="{folder}{name}">{escape(label)}</a>'
