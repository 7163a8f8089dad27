"""What became of invitations, addresses in other letters, and names that try to be more."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from staffroom.accounts import people
from staffroom.core import mailbox
from staffroom.core.errors import Invalid
from staffroom.workspaces import invitations, memberships, sent
from staffroom.workspaces.models import Invitation, Membership, Workspace
from staffroom.workspaces.permissions import RoleForbids
from staffroom.workspaces.views import directory
from tests.cast import Cast

from .races import passer_by


class Shop(Cast):
    """One invitation in each state."""

    def __init__(self) -> None:
        super().__init__()
        self.dora, ann = passer_by(), self.ann
        self.tokens: dict[str, str] = {}
        for state, address in (
            ("pending", f"pending-{self.mark}@example.com"),
            ("expired", f"expired-{self.mark}@example.com"),
            ("accepted", self.dora.email),
            ("declined", f"declined-{self.mark}@example.com"),
            ("revoked", f"revoked-{self.mark}@example.com"),
        ):
            self.invite(address, state)
        invitations.accept(self.tokens["accepted"], user=self.dora)
        invitations.decline(self.tokens["declined"], user=None)
        by_ann = self.member(ann, self.acme)
        with self.inside(self.acme):
            late = Invitation.objects.filter(email__startswith="expired")
            late.update(expires_at=timezone.now() - timedelta(hours=1))
            invitations.revoke(Invitation.objects.get(email__startswith="revoked").id, by=by_ann)

    def person(self, name: str) -> Any:
        return passer_by(name)

    def invite(self, address: str, state: str = "") -> Invitation:
        by = self.member(self.alice, self.acme)
        with self.inside(self.acme):
            made, self.tokens[state] = invitations.invite(email=address, role="member", by=by)
        return made

    def list(self, **asked: Any) -> list[sent.Sent]:
        by = self.member(self.alice, self.acme)
        with self.inside(self.acme):
            return list(sent.invitations(by, **asked).items)

    def page(self, query: str = "", who: Any = None) -> str:
        answer = self.browser(who or self.alice).get(f"/o/{self.acme.slug}/organization?tab=members{query}")
        assert answer.status_code == 200
        return str(answer.content.decode())


@pytest.fixture
def shop() -> Shop:
    return Shop()


class TestStates:
    @pytest.mark.parametrize(
        ("state", "names"),
        [("open", ["expired", "pending"]), ("expired", ["expired"]), ("accepted", ["dora"]),
         ("declined", ["declined"]), ("revoked", ["revoked"])],
    )  # fmt: skip
    def test_each_has_its_list(self, shop: Shop, state: str, names: list[str]) -> None:
        assert [one.email.split("-")[0] for one in shop.list(state=state)] == names

    def test_who_decided_and_when(self, shop: Shop) -> None:
        decided = {state: shop.list(state=state)[0] for state in ("accepted", "declined", "revoked")}
        assert [one.decided_by for one in decided.values()] == ["Dora", None, "Ann"]
        assert all(one.decided_at > one.created_at for one in decided.values() if one.decided_at)

    def test_those_that_die_with_their_sender_say_by_whom(self, shop: Shop) -> None:
        by_alice, by_ann = shop.member(shop.alice, shop.acme), shop.member(shop.ann, shop.acme)
        with shop.inside(shop.acme):
            invitations.invite(email="of-ann@example.com", role="member", by=by_ann)
            memberships.remove(shop.ann.id, by=by_alice)
        assert shop.list(state="revoked", q="of-ann")[0].decided_by == "Alice"

    @pytest.mark.parametrize("q", ["PENDING", "pending-", "ing"])
    def test_search_by_a_part_of_the_address(self, shop: Shop, q: str) -> None:
        assert [one.email.split("-")[0] for one in shop.list(q=q)] == ["pending"]
        assert shop.list(q="100%_\\\0\ud800") == []

    def test_pages_lead_both_ways(self, shop: Shop) -> None:
        for number in range(5):
            shop.invite(f"n{number}-{shop.mark}@example.com")
        by = shop.member(shop.alice, shop.acme)
        with shop.inside(shop.acme), CaptureQueriesContext(connection) as asked:
            first = sent.invitations(by, None, 3)
            second = sent.invitations(by, first.next, 3)
            third = sent.invitations(by, second.next, 3)
            back = sent.invitations(by, third.previous, 3)
        assert [len(page.items) for page in (first, second, third)] == [3, 3, 1]
        assert (back.items, first.previous, third.next, len(asked)) == (second.items, None, None, 4)
        with pytest.raises(Invalid), shop.inside(shop.acme):
            sent.invitations(by, first.next, 3, state="revoked")

    def test_only_those_who_may_invite_see_any(self, shop: Shop) -> None:
        by_bob = shop.member(shop.bob, shop.acme)
        with pytest.raises(RoleForbids), shop.inside(shop.acme):
            sent.invitations(by_bob, state="revoked")


class TestPage:
    def test_states_deeds_and_the_note_about_mail(self, shop: Shop) -> None:
        page = shop.page()
        assert page.count("Copy link") == 1  # not of the one that has expired
        assert page.count("/resend") == page.count("/revoke") == 2
        assert "No mail server is set up here" in page
        assert ("Expired</span>" in page, "Pending</span>" in page) == (True, True)

    def test_what_is_decided_has_no_deeds(self, shop: Shop) -> None:
        page = shop.page("&state=revoked")
        rows = page[page.index('id="sent-list"') :]
        assert f"revoked-{shop.mark}" in rows
        assert "Ann" in rows
        assert ("/resend" in rows, "Copy link" in rows) == (False, False)

    def test_what_was_sent_again_shows_its_link_from_any_page(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(directory, "ROWS", 1)
        with shop.inside(shop.acme):
            oldest = Invitation.objects.order_by("created_at").first()
        client = shop.browser(shop.alice)
        answer = client.post(f"/o/{shop.acme.slug}/organization/invitations/{oldest.id}/resend")
        page = client.get(answer.headers["Location"].partition("#")[0]).content.decode()
        assert f"{oldest.email} is invited" in page
        assert (
            invitations.offer(re.search(r'id="invited-link" value="[^"]*/([\w-]{43})"', page)[1]).email
            == oldest.email
        )  # type: ignore[index]

    def test_a_member_gets_an_information_alert_instead(self, shop: Shop) -> None:
        page = shop.page("&state=revoked&invited=" + str(uuid4()), shop.bob)
        alert = re.search(r'<div class="alert alert-info"[^>]*>.*?<p>(.*?)</p>', page, re.S)[1]  # type: ignore[index]
        assert alert.startswith("Failed to load invitations.")
        assert "owner and admins" in alert
        assert f"{shop.mark}@example.com</b>" not in page[page.index("Failed to load") :]

    def test_by_api(self, shop: Shop) -> None:
        api, path = shop.api(shop.key(shop.alice)), f"/api/v1/o/{shop.acme.slug}/invitations"
        [one] = api.get(path, {"state": "revoked", "q": "revoked"}).json()["items"]
        assert (one["state"], one["accept_url"], bool(one["decided_at"])) == ("revoked", None, True)
        assert [one["state"] for one in api.get(path).json()["items"]] == ["expired", "pending"]
        assert api.get(path, {"state": "gone"}).status_code == 422


class TestOtherLetters:
    def test_a_domain_in_its_own_letters_is_one_address_however_written(self, shop: Shop) -> None:
        one = shop.invite(f"{shop.mark}@Пример.рф")
        two = shop.invite(f"{shop.mark}@xn--e1afmkfd.xn--p1ai")
        assert one.id == two.id
        user = people.add(f"{shop.mark}@пример.рф", name="Оля", password=None, verified=True)  # type: ignore[arg-type]
        assert invitations.accept(shop.tokens[""], user=user).slug == shop.acme.slug
        with pytest.raises(invitations.AlreadyMember):
            shop.invite(f"{shop.mark}@xn--e1afmkfd.xn--p1ai")

    def test_its_mail_goes_to_the_name_that_the_network_knows(self, shop: Shop) -> None:
        shop.invite(f"{shop.mark}@пример.рф")
        assert mailbox.letters(1)[0].to == f"{shop.mark}@xn--e1afmkfd.xn--p1ai"

    @pytest.mark.parametrize("address", ["пример@пример.рф", "ü@example.com", "名@example.com"])
    def test_before_the_at_sign_our_mail_knows_only_ascii(self, shop: Shop, address: str) -> None:
        with pytest.raises(Invalid) as refused:
            shop.invite(address)
        assert "Latin letters" in str(refused.value)

    def test_because_djangos_mail_would_send_it_to_another_address(self) -> None:
        """Without SMTPUTF8 the name becomes an encoded word, which no mailbox has. When this fails, accept them."""
        from django.core.mail.message import sanitize_address

        assert sanitize_address("ü@example.com", "utf-8") == "=?utf-8?b?w7w=?=@example.com"


NAMES = [
    "<script>alert(1)</script>",
    "</title><b>",
    "Ann\r\nBcc: all@example.com",
    "Ann\u2028Subject: x",
    "\u202egnp.exe\u2066",
    "boss@bank.example",
    "Ann <ceo@bank.example>",
    '"Ann" <ceo@bank.example>,',
    "=?utf-8?q?Bcc?=",
    "https://evil.example/a",
    "{{ url }}{% debug %}",
    "%s%(x)s",
    "{url}",
    "x" * 150,
    "Ann;ann@evil.example",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_in_a_mail_is_only_a_name(name: str) -> None:
    shop = Cast()
    address, inviter = f"{uuid4().hex}@example.com", passer_by("mallory")
    inviter.name = name
    inviter.save(update_fields=["name"])
    shop.joined(inviter, Membership.ADMIN)
    with shop.inside(shop.acme):
        Workspace.objects.update(name=name[:80])
    by = shop.member(inviter, shop.acme)
    with shop.inside(shop.acme):
        invitations.invite(email=address, role="member", by=by)
    [letter] = [letter for letter in mailbox.letters(10) if letter.to == address]
    head, _, _ = (settings.MAIL_FOLDER / f"{letter.name}.eml").read_text().partition("\n\n")
    fields = [line.split(":")[0] for line in head.splitlines() if not line.startswith((" ", "\t"))]
    assert sorted(fields) == sorted({*fields})
    assert not {"Bcc", "Cc", "Reply-To"} & set(fields)
    assert (letter.to, len(letter.subject.splitlines())) == (address, 1)
    assert "<script" not in letter.html
    assert "</title><b>" not in letter.html
    links = re.findall(r"https?://[^\s\"'<>)]+", letter.text + letter.html)
    assert links
    assert all(link.startswith(settings.PUBLIC_URL) for link in links)
    for said in (letter.subject, letter.text, letter.html):
        assert not set("\u202e\u2066\u2028") & set(said)
        assert "@bank.example" not in said
        assert "Traceback" not in said
