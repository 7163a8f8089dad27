"""The tags of the design system. They are built in: a template needs no {% load %} for them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zlib import crc32

import msgspec
from django import template
from django.conf import settings
from django.forms import BoundField, CheckboxInput, FileInput, PasswordInput, Select, Textarea
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from staffroom.billing import alerts
from staffroom.billing.models import Alert
from staffroom.core.mail import can_deliver
from staffroom.core.scope import is_open
from staffroom.workspaces import avatars
from staffroom.workspaces.permissions import May

register = template.Library()
TONES = 8
_LARGE = {"l", "xl"}  # on a dense screen more pixels than the small picture has


@register.simple_tag
@cache
def icon(name: str, classes: str = "") -> SafeString:
    """{% icon "plus" %}: decoration beside a word. The names are in ui/icons.txt: few, so that each is drawn once."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>',
        classes,
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag(takes_context=True)
def here(context: Any, path: str = "") -> str:
    """{% here "chats" %}: that page in the context of this page (/me/chats, /o/acme/chats)."""
    member = context.get("member")
    return str(member.url(path)) if member else f"/me/{path}"


@register.inclusion_tag("components/menu_entry.html", takes_context=True)
def menu_entry(context: Any, path: str, sign: str, label: str) -> dict[str, object]:
    url = here(context, path)
    at = context["request"].path if "request" in context else ""
    return {"url": url, "sign": sign, "label": label, "current": at == url or at.startswith(f"{url}/")}


@register.inclusion_tag("components/words_left.html", takes_context=True)
def words_left(context: Any) -> dict[str, object]:
    """The balance of this page's context in the sidebar."""
    return {"left": _left(context)}


@register.inclusion_tag("components/words_top.html", takes_context=True)
def words_top(context: Any) -> dict[str, object]:
    """The same in the bar on top of a narrow page."""
    return {"left": _left(context)}


@register.inclusion_tag("components/balance_note.html", takes_context=True)
def balance_note(context: Any) -> dict[str, object]:
    """What a page says when words run low, to whom it concerns: the last of it to everybody."""
    left, member = _left(context), context.get("member")
    if not left or not left.level or (left.level < Alert.NONE and not member.may(May.BILLING)):
        return {}
    return {
        "text": alerts.sentence(left.level),
        "none": left.level == Alert.NONE,
        "url": here(context, "billing"),
    }


def _left(context: Any) -> alerts.Left | None:
    """One statement a page, inside the page's scope."""
    request = context.get("request")
    if isinstance(context.get("left"), alerts.Left):
        given: alerts.Left = context["left"]
        return given
    if not context.get("member") or not is_open() or request is None:
        return None
    if not hasattr(request, "words_left"):
        request.words_left = alerts.left()
    found: alerts.Left = request.words_left
    return found


@register.simple_tag
def mail_stays() -> bool:
    """Whether mail goes no further than /dev/mail, so that a page may say where to read it."""
    return not settings.PRODUCTION and not can_deliver()


@register.inclusion_tag("components/avatar.html")
def avatar(name: str, image: str = "", classes: str = "") -> dict[str, object]:
    """{% avatar user.name user.avatar "l square" %}: a picture, or initials on a tone that follows the name."""
    size = avatars.LARGE if _LARGE & set(classes.split()) else avatars.SMALL
    picture = avatars.path(image, size) if image else ""
    return {"initials": initials(name), "tone": tone(name), "image": picture, "classes": classes}


@register.filter
def initials(name: object) -> str:
    words = ["".join(filter(str.isalnum, word)) for word in str(name).split()]
    words = [word for word in words if word]
    if not words:
        return "?"
    letters = words[0][:1] + (words[-1][:1] if len(words) > 1 else words[0][1:2])
    return unicodedata.normalize("NFC", letters).upper()


@register.filter
def tone(name: object) -> int:
    """The same name has the same tone everywhere and after every restart."""
    return crc32(str(name).strip().casefold().encode()) % TONES


@register.filter
def number(value: object) -> str:
    """20000 → 20,000 (as the language writes it)."""
    return number_format(value, use_l10n=True, force_grouping=True)


@register.filter
def money(cents: int, currency: str = "USD") -> str:
    """10000 → $100.00; other currencies by their code."""
    amount = number_format(Decimal(cents) / 100, decimal_pos=2, use_l10n=True, force_grouping=True)
    return f"${amount}" if currency == "USD" else f"{amount} {currency}"


@register.filter
def cost(dollars: Decimal | None) -> str:
    """Of single replies, which cost parts of a cent: $0.0123; from one dollar on $1.23."""
    if dollars is None:
        return "—"
    places = 2 if dollars >= 1 or not dollars else 4
    return f"${number_format(dollars, decimal_pos=places, use_l10n=True, force_grouping=True)}"


@register.filter
def dollars(cents: int) -> str:
    """10050 → 100.50, as a form writes it in every language."""
    return f"{cents // 100}.{cents % 100:02}"


@register.filter
def of(values: Mapping[Any, Any], key: object) -> Any:
    """`{{ words|of:one.user_id }}`: what stands there under a key; None when nothing does."""
    return values.get(key)


@register.filter
def tojson(value: object) -> str:
    """For a data attribute; the template escapes it."""
    return msgspec.json.encode(value).decode()


@register.filter
def ago(moment: datetime) -> str:
    """5 minutes ago: true in every time zone."""
    if timezone.now() - moment < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, depth=1)}


@register.inclusion_tag("components/field.html")
def field(
    bound: BoundField, *, label: str = "", help: str = "", prefix: str = "", **attrs: Any
) -> dict[str, object]:
    """{% field form.email placeholder="you@example.org" data_unsaved="" %}: underscores become hyphens."""
    attrs = {name.replace("_", "-"): value for name, value in attrs.items()}
    return {
        "field": bound,
        "label": label or bound.label,
        "help": help or bound.help_text,
        "prefix": prefix,
        "kind": _kind(bound),
        "widget": _widget(bound, attrs, bool(help or bound.help_text)),
        "error_id": f"{bound.auto_id}_error",
        "help_id": f"{bound.auto_id}_helptext",
    }


def _kind(bound: BoundField) -> str:
    widget = bound.field.widget
    if isinstance(widget, CheckboxInput):
        return "check"
    return "password" if isinstance(widget, PasswordInput) else "line"


def _widget(bound: BoundField, attrs: dict[str, Any], helped: bool) -> SafeString:
    widget = bound.field.widget
    described = [f"{bound.auto_id}_error"] if bound.errors else []
    described += [f"{bound.auto_id}_helptext"] if helped else []
    attrs["aria-describedby"] = " ".join(described) or False
    attrs["aria-invalid"] = "true" if bound.errors else False
    if isinstance(widget, CheckboxInput):
        attrs["class"] = "form-check-input"
    elif isinstance(widget, Select):
        attrs["class"] = "form-select"
    else:
        attrs["class"] = "form-control"
    if isinstance(widget, Textarea):
        attrs.setdefault("data-autosize", True)
        attrs.setdefault("rows", 3)
    if isinstance(widget, FileInput):
        attrs["aria-required"] = "true" if bound.field.required else False
    return bound.as_widget(attrs=attrs)
