"""How a person comes to be: by sign-up, by an invitation, by the operator's command."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import make_password
from django.db import connection

from staffroom.core.names import called
from staffroom.core.sentences import part, sentence

from .emails import normalised
from .models import Session, User


@sentence
def add(email: str, *, name: str, password: str, verified: bool = False, operator: bool = False) -> User:
    """A new account with its personal workspace, in one transaction. Raises IntegrityError for a known address."""
    user = User(email=normalised(email), name=name.strip(), is_staff=operator, is_superuser=operator)
    user.set_password(password)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=verified, primary=True)
    born(user)
    return user


@part
def born(user: User) -> None:
    """Whatever must exist from a person's first moment; called once, where the row is written."""
    for ring in called("USER_BORN"):
        ring(user)


@part
def forget(user: User) -> None:
    """Nothing is left by which the person could be known or could sign in; the address is free for a new account.

    The row stays without a name, because what was done in organizations refers to it.
    """
    Session.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    EmailAddress.objects.filter(user=user).delete()
    User.objects.filter(id=user.id).update(
        email=f"deleted-{user.id.hex}@deleted.invalid",
        name="",
        avatar="",
        password=make_password(None),
        is_active=False,
        is_staff=False,
        is_superuser=False,
        last_login=None,
    )


def is_known(address: str) -> bool:
    """Whether somebody signs in with this (normalised) address. Not for the eyes of strangers."""
    return holder(address) is not None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who signs in with an address."""

    id: UUID
    language: str


def holder(address: str) -> Holder | None:
    """Of a normalised address, looked up as the unique index writes it. Not for the eyes of strangers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, language FROM accounts_user WHERE lower(email) = lower(%s)", [address])
        row = cursor.fetchone()
    return Holder(*row) if row else None


def verified_address(user: User) -> str | None:
    """The address that the person has proved to hold, if any."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT email FROM account_emailaddress WHERE user_id = %s AND verified AND upper(email) = upper(%s)",
            [user.pk, user.email],
        )
        row = cursor.fetchone()
    return row[0] if row else None
