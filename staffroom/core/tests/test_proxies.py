"""Whose address it is, with proxies in between, honest and forged."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from django.test.utils import override_settings

from staffroom.accounts.models import Session
from staffroom.core import proxies
from staffroom.workspaces.models import AuditEntry
from tests.cast import PASSWORD, Cast

PROXIES = proxies.networks("10.0.0.0/8, 127.0.0.1 2001:db8:1::/48")
LOGIN = "/accounts/login/"


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture
def trusting() -> Any:
    cache.clear()
    with override_settings(TRUSTED_PROXIES=PROXIES):
        yield
    cache.clear()


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        (
            "10.0.0.1",
            "6.6.6.6, 203.0.113.7",
            "203.0.113.7",
        ),  # what the client wrote itself stands to the left
        ("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.2.3.4", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:127.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("2001:db8:1::5", "::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.9", "6.6.6.6", "203.0.113.9"),  # no proxy of ours: what it claims does not count
        ("203.0.113.9", "6.6.6.6, 10.0.0.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, nonsense, 10.0.0.2", "10.0.0.2"),  # nobody reads past what cannot be read
        ("10.0.0.1", "6.6.6.6, ", "10.0.0.1"),
        ("10.0.0.1", "'; DROP TABLE x; --", "10.0.0.1"),
        ("10.0.0.1", "1" * 5000, "10.0.0.1"),
        ("10.0.0.1", "fe80::1%eth0", "fe80::1%eth0"),
        ("", "203.0.113.7", ""),
    ],
)
def test_the_nearest_that_is_no_proxy_of_ours(trusting: Any, peer: str, forwarded: str, client: str) -> None:
    assert proxies.client(peer, forwarded) == client


def test_without_the_setting_nobody_is_believed() -> None:
    assert proxies.client("127.0.0.1", "203.0.113.7") == "127.0.0.1"


@pytest.mark.parametrize("said", ["2", "10.0.0.0/33", "localhost", "10.0.0.1/8"])
def test_a_setting_that_is_no_network_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        proxies.networks(said)


class TestEverywhereTheSame:
    def seen(self, cast: Cast, peer: str, forwarded: str) -> tuple[str, str]:
        """In the list of sessions and in the audit log."""
        client = Client(REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded})
        client.post(LOGIN, {"login": cast.alice.email, "password": PASSWORD})
        name = uuid4().hex
        client.post(f"/o/{cast.acme.slug}/organization/name", {"name": name})
        session = Session.objects.get(session_key=client.session.session_key)
        with cast.inside(cast.acme):
            return session.address, AuditEntry.objects.get(after__name=name).ip

    def test_behind_a_proxy_of_ours(self, cast: Cast, trusting: Any) -> None:
        assert self.seen(cast, "10.0.0.1", "6.6.6.6, 203.0.113.7") == ("203.0.113.7", "203.0.113.7")

    def test_who_forges_the_header_is_seen_as_oneself(self, cast: Cast, trusting: Any) -> None:
        assert self.seen(cast, "203.0.113.66", "198.51.100.1") == ("203.0.113.66", "203.0.113.66")

    def test_without_the_setting(self, cast: Cast) -> None:
        cache.clear()
        assert self.seen(cast, "10.0.0.1", "198.51.100.1") == ("10.0.0.1", "10.0.0.1")

    def tried(self, peer: str, forwarded: str, times: int = 1) -> int:
        for _ in range(times):
            client = Client(REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded})
            status = client.post(
                LOGIN, {"login": f"{uuid4().hex}@example.com", "password": "x" * 12}
            ).status_code
        return status

    def test_sign_ins_are_counted_for_each_client_behind_the_proxy(self, trusting: Any) -> None:
        self.tried("10.0.0.1", "203.0.113.7", 30)
        assert self.tried("10.0.0.1", "203.0.113.7") != self.tried("10.0.0.1", "203.0.113.8")

    def test_another_header_each_time_helps_nobody(self, trusting: Any) -> None:
        answers = [self.tried("203.0.113.66", f"198.51.100.{number}") for number in range(40)]
        assert answers[-1] == 429
        cache.clear()
        answers = [self.tried("10.0.0.1", f"198.51.100.{number}, 203.0.113.66") for number in range(40)]
        assert answers[-1] == 429
