"""Bad input over HTTP: a clear error, nothing changed, and never a 500."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from staffroom.workspaces import invitations
from staffroom.workspaces.models import Invitation
from tests.cast import Cast
from tests.desk import taken_in

ORGANIZATIONS = "/api/v1/organizations"
RTL, ZERO_WIDTH, EMOJI = "\u202egnp.exe", "Ac\u200bme\u2060", "👩‍👩‍👧‍👦 Café"


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="module")
def alice(cast: Cast) -> Client:
    return cast.api(cast.key(cast.alice))


def problem(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json", answer.content
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


def sent(client: Client, path: str, **fields: Any) -> Any:
    return client.post(path, fields, content_type="application/json")


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            "{", "[", "name=X", "\x00", '{"name": "X"', "nul", '{"name": NaN}', '{"name": Infinity}', "'X'",
            '{"name": "\\ud800"}', '{"name": "a\\u0000b"}', '{"a\\u0000": 1}', "[" * 100_000, '{"a":' * 5_000,
            b"\xff\xfe", b'{"name": "\xe9"}', "\ufeff{}",
        ],
    )  # fmt: skip
    def test_a_body_that_is_no_json_is_a_problem(self, alice: Client, body: str | bytes) -> None:
        answer = alice.post(ORGANIZATIONS, body, content_type="application/json")
        assert problem(answer) == (400, "malformed")

    @pytest.mark.parametrize("body", ["[]", "null", '"X"', "7", "true", "[{}]"])
    def test_json_that_is_no_object_is_bad_input(self, alice: Client, body: str) -> None:
        assert problem(alice.post(ORGANIZATIONS, body, content_type="application/json"))[0] == 422

    def test_no_body_is_bad_input(self, alice: Client) -> None:
        assert problem(alice.post(ORGANIZATIONS, "", content_type="application/json"))[0] == 422

    @pytest.mark.parametrize("value", [None, 1, 1.5, True, [], {}, [["x"]], {"a": {"b": []}}])
    def test_a_field_of_another_kind_is_bad_input(self, alice: Client, value: Any) -> None:
        answer = alice.post(ORGANIZATIONS, json.dumps({"name": value}), content_type="application/json")
        assert problem(answer) == (422, "invalid")
        assert list(answer.json()["errors"]) == ["name"]

    def test_what_stands_there_twice_counts_once(self, alice: Client) -> None:
        body = '{"name": "First", "name": "Second"}'
        answer = alice.post(ORGANIZATIONS, body, content_type="application/json")
        assert answer.json()["name"] == "Second"

    def test_more_than_a_route_reads_is_too_large(self, alice: Client) -> None:
        body = json.dumps({"name": "x" * 6_000_000})
        assert problem(alice.post(ORGANIZATIONS, body, content_type="application/json")) == (413, "too_large")


class TestNames:
    @pytest.mark.parametrize("name", ["", " ", "\u200b", "\u2060\ufeff", "\t\n", "x" * 10_000, "x" * 81])
    def test_a_name_that_nobody_can_read_is_bad_input(self, alice: Client, name: str) -> None:
        answer = alice.post(ORGANIZATIONS, {"name": name}, content_type="application/json")
        assert problem(answer) == (422, "invalid")
        assert list(answer.json()["errors"]) == ["name"]

    @pytest.mark.parametrize(
        "name", [RTL, ZERO_WIDTH, EMOJI, "日本語", "مرحبا", "x'); DROP TABLE--", "<script>"]
    )
    def test_a_strange_name_is_stored_readable_or_refused(self, alice: Client, name: str) -> None:
        answer = alice.post(ORGANIZATIONS, {"name": name}, content_type="application/json")
        assert answer.status_code in (201, 422), answer.content
        if answer.status_code == 201:
            stored = answer.json()["name"]
            assert stored
            assert not set(stored) & set("\u202e\u200b\u2060")
            assert alice.get(f"/api/v1/o/{answer.json()['slug']}").json()["name"] == stored

    @pytest.mark.parametrize(
        "slug",
        [
            "A b",
            "-a",
            "a-",
            "ab/cd",
            "../x",
            "a.b",
            "é",
            "мир",
            "a\u200bb",
            "x" * 41,
            "x" * 10_000,
            "%2e",
            "a\nb",
        ],
    )
    def test_a_slug_of_a_wrong_form_is_named_as_such(self, alice: Client, slug: str) -> None:
        answer = alice.post(ORGANIZATIONS, {"name": "X", "slug": slug}, content_type="application/json")
        assert problem(answer) == (422, "slug_malformed")

    @pytest.mark.parametrize("slug", ["me", "admin", "api", "o", "accounts", "static", "healthz", "billing"])
    def test_a_slug_that_is_ours_is_reserved(self, alice: Client, slug: str) -> None:
        answer = alice.post(ORGANIZATIONS, {"name": "X", "slug": slug}, content_type="application/json")
        status, code = problem(answer)
        assert (status, code in {"slug_reserved", "slug_malformed"}) == (422, True)

    @pytest.mark.parametrize(
        "email", ["", "x", "@", "a@b", "a@b c.de", "a\u202e@example.com", "x" * 300 + "@e.com", "a@b.c\x00"]
    )
    def test_an_address_that_is_none_is_bad_input(self, cast: Cast, alice: Client, email: str) -> None:
        body = {"email": email, "role": "member"}
        answer = alice.post(f"/api/v1/o/{cast.acme.slug}/invitations", body, content_type="application/json")
        assert problem(answer)[0] in (400, 422)


class TestAddresses:
    @pytest.mark.parametrize(
        "path",
        [
            "o/../me", "o/%2e%2e/members", "o//members", "o/Acme%00/members", "o/" + "x" * 5_000, "o/acme;drop/members",
            "o/%F0%28%8C%28", "me/members", "me/invitations", "o/me/members", "o/%D0%BC%D0%B8%D1%80",
            "o/0190b1c2-0000-7000-8000-000000000000/members", "ME", "o/ /members",
        ],
    )  # fmt: skip
    def test_a_place_that_does_not_exist_is_404(self, alice: Client, path: str) -> None:
        assert problem(alice.get(f"/api/v1/{path}"))[0] == 404

    @pytest.mark.parametrize(
        "id_", ["1", "0", "-1", "x" * 500, "null", "0190b1c2-0000-7000-8000-000000000000", "%00", "..", "*"]
    )
    def test_an_unknown_id_is_404(self, cast: Cast, alice: Client, id_: str) -> None:
        answer = alice.delete(f"/api/v1/o/{cast.acme.slug}/invitations/{id_}")
        assert problem(answer) == (404, "not_found")

    @pytest.mark.parametrize(
        "token",
        ["x", "0190b1c2-0000-7000-8000-000000000000", "%00", "x" * 2_000, "%F0%28", "a.b.c", "\u202e"],
    )
    def test_an_unknown_invitation_is_gone(self, cast: Cast, token: str) -> None:
        api = cast.api(cast.key(cast.person(f"guesser-{uuid4().hex[-6:]}")))
        answer = api.post(f"/api/v1/invitations/{token}/accept")
        assert problem(answer) in {(404, "invitation_gone"), (404, "not_found")}


class TestTexts:
    @pytest.mark.parametrize("text", ["", " \n", "\u200b", "\u200d\u2060\ufeff", "\u3164", "\u202e\u2028"])
    def test_a_text_in_which_nothing_can_be_seen_is_bad_input(self, alice: Client, text: str) -> None:
        employee = sent(alice, "/api/v1/me/employees", name="Mara").json()["id"]
        chat = sent(alice, "/api/v1/me/chats", employee=employee).json()["id"]
        for answer in (
            sent(alice, f"/api/v1/me/chats/{chat}/messages", text=text),
            sent(alice, f"/api/v1/me/chats/{chat}/messages", **{"text": text, "as": "manager"}),
            sent(alice, "/api/v1/me/knowledge", title="Returns", text=text),
        ):
            assert problem(answer) == (422, "invalid")
            assert list(answer.json()["errors"]) == ["text"]

    def test_a_message_that_comes_again_with_another_text_is_the_one_that_was_kept(
        self, alice: Client
    ) -> None:
        employee = sent(alice, "/api/v1/me/employees", name="Mara").json()["id"]
        alice.patch(f"/api/v1/me/employees/{employee}", {"active": False}, content_type="application/json")
        chat = sent(alice, "/api/v1/me/chats", employee=employee).json()["id"]
        at = f"/api/v1/me/chats/{chat}/messages"
        answers = [taken_in(sent(alice, at, text=text, external_id="7")) for text in ("First", "Second")]
        told = [json.loads(answer.content)["message"] for answer in answers]
        assert [message["text"] for message in told] == ["First", "First"]
        assert told[0]["id"] == told[1]["id"]


class TestLinks:
    def _invited(self, cast: Cast, alice: Client, email: str) -> str:
        body = {"email": email, "role": "member"}
        answer = alice.post(f"/api/v1/o/{cast.acme.slug}/invitations", body, content_type="application/json")
        return str(answer.json()["accept_url"].rsplit("/", 1)[1])

    def test_an_expired_link_is_gone(self, cast: Cast, alice: Client) -> None:
        eve = cast.person(f"eve-{uuid4().hex[-6:]}")
        token = self._invited(cast, alice, eve.email)
        with cast.inside(cast.acme):
            Invitation.objects.filter(email=eve.email).update(
                expires_at=timezone.now() - timedelta(seconds=1)
            )
        answer = cast.api(cast.key(eve)).post(f"/api/v1/invitations/{token}/accept")
        assert problem(answer) == (404, "invitation_gone")

    def test_a_used_link_is_gone_and_opens_nothing_after_removal(self, cast: Cast, alice: Client) -> None:
        eve = cast.person(f"eve-{uuid4().hex[-6:]}")
        token = self._invited(cast, alice, eve.email)
        api = cast.api(cast.key(eve))
        assert api.post(f"/api/v1/invitations/{token}/accept").status_code == 200
        assert problem(api.post(f"/api/v1/invitations/{token}/accept")) == (404, "invitation_gone")
        assert invitations.offers_to(eve) == []


class TestForgery:
    def test_a_context_in_the_body_or_query_is_not_heard(self, cast: Cast) -> None:
        api = cast.api(cast.key(cast.sam))
        forged = {
            "name": "Mine",
            "workspace": cast.acme.slug,
            "workspace_id": str(cast.acme.id),
            "ctx": f"o/{cast.acme.slug}",
        }
        answer = api.patch(
            f"/api/v1/o/{cast.rival.slug}?slug={cast.acme.slug}&ctx=o/{cast.acme.slug}",
            forged, content_type="application/json", headers={"X-Workspace": str(cast.acme.id)},
        )  # fmt: skip
        assert (answer.status_code, answer.json()["slug"]) == (200, cast.rival.slug)
        assert cast.api(cast.key(cast.alice)).get(f"/api/v1/o/{cast.acme.slug}").json()["name"] == "Acme"

    def test_a_member_cannot_name_oneself_admin(self, cast: Cast) -> None:
        api = cast.api(cast.key(cast.bob))
        answer = api.patch(
            f"/api/v1/o/{cast.acme.slug}?role=owner",
            {"name": "Bob's", "role": "owner"},
            content_type="application/json",
        )
        assert problem(answer) == (403, "role_forbids")

    @pytest.mark.parametrize(
        "header",
        [
            "Bearer",
            "Bearer ",
            "Basic eDp5",
            "bearer x",
            "Bearer \u00e9",
            "Bearer a b c",
            "Token x",
            "Bearer " + "x" * 9_000,
        ],
    )
    def test_a_key_of_any_other_form_is_401(self, header: str) -> None:
        answer = Client(raise_request_exception=False).get("/api/v1/user", headers={"Authorization": header})
        assert problem(answer) == (401, "unauthenticated")


@contextmanager
def web() -> Iterator[int]:
    """A real web process on a socket of ours."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        process = subprocess.Popen(
            [sys.executable, "-m", "operate.web", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env=os.environ | {"STAFFROOM_POOL": "4"},
        )
        try:
            yield int(listener.getsockname()[1])
        finally:
            process.terminate()
            process.wait(10)


class TestARealServer:
    """What Django's test client does not pass: the server in front of it."""

    @pytest.fixture(scope="class")
    @staticmethod
    def port() -> Iterator[int]:
        with web() as port:
            yield port

    def test_a_body_of_50_mb_is_413_and_the_server_goes_on(self, cast: Cast, port: int) -> None:
        for length in ("Content-Length: 52428800", "Transfer-Encoding: chunked"):
            status, body = self._post(port, cast.key(cast.alice), length, 50)
            assert status == 413, body
            assert json.loads(body)["code"] == "too_large"
        assert self._alive(port)

    def test_a_sender_who_leaves_in_the_middle_is_forgotten(self, port: int) -> None:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
                line.sendall(
                    b"POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
                )
        assert self._alive(port)

    def test_nonsense_on_the_line_is_refused(self, port: int) -> None:
        for said in (
            b"\x16\x03\x01\x02\x00",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as line, suppress(OSError):
                line.sendall(said)
                line.recv(100)
        assert self._alive(port)

    @staticmethod
    def _alive(port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return line.recv(100).startswith(b"HTTP/1.1 200")

    @staticmethod
    def _post(port: int, key: str, length: str, megabytes: int) -> tuple[int, bytes]:
        """Sends until the server has answered, as browsers and libraries do."""
        head = f"POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{length}\r\n\r\n"
        block = b"x" * 65_536
        if "chunked" in length:
            block = b"10000\r\n" + block + b"\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
            line.sendall(head.encode())
            with suppress(OSError):
                for _ in range(megabytes * 16):
                    line.sendall(block)
            answer = b""
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and b"}" not in answer:
                if not (part := line.recv(65_536)):
                    break
                answer += part
        return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]
