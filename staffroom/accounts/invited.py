"""Signing up from an invitation: the address is the invited one, and the way leads back to the invitation.

What an invitation opens is no matter of this floor: it is a token here, that a floor above knows (`settings.ARRIVALS`).
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from typing import Any

from .emails import normalised

_KEY = "invited"
_VALID = 2 * 60 * 60  # seconds; a browser that is shared should not offer it to the next person

Session = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Invited:
    """`proved`: the link came out of the mail, so whoever opened it reads mail to that address."""

    email: str
    token: str
    to: str
    proved: bool


def remember(session: Session, invited: Invited) -> None:
    session[_KEY] = {**asdict(invited), "at": time.time()}


def recall(session: Session) -> Invited | None:
    said = session.get(_KEY)
    if not isinstance(said, dict) or time.time() - said.get("at", 0) > _VALID:
        return None
    return Invited(said["email"], said["token"], said["to"], said["proved"])


def forget(session: Session) -> None:
    session.pop(_KEY, None)


def proves(session: Session, email: str) -> bool:
    invited = recall(session)
    return invited is not None and invited.proved and normalised(invited.email) == normalised(email)
