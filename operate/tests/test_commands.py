"""The commands that call rules, in the test's own database."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from operate import cli, doctor, house
from operate.refusals import USAGE
from staffroom.accounts.models import User
from staffroom.billing import payments, plans
from staffroom.billing import queries as balances
from staffroom.core.scope import workspace_scope
from staffroom.workspaces.models import ApiKey
from tests.cast import Cast

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def inside_the_test_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was migrated by the tests themselves, and its connections go on after a command."""
    monkeypatch.setattr(house, "_await_tables", lambda *_: None)
    monkeypatch.setattr(house, "_close_connections", lambda: None)


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


class Said:
    """What a command printed, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = 0
        try:
            cli.main(list(arguments))
        except SystemExit as end:
            self.code = int(end.code or 0)
        self.out, self.err = capsys.readouterr()


class TestPeopleAndKeys:
    def test_an_account_is_added_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        email = f"{uuid4().hex}@Example.com"
        add = ["user", "add", email, "--name", "Ann", "--password", PASSWORD]
        assert Said(capsys, *add, "--operator").out == f"Added {email.lower()}.\n"
        assert User.objects.get(email=email.lower()).is_staff
        again = Said(capsys, *add)
        assert (again.code, again.err) == (
            1,
            f"staffroom: There is already an account with the address {email}.\n",
        )

    @pytest.mark.parametrize(
        ("email", "password", "says"),
        [
            ("no address", PASSWORD, "valid email"),
            ("a@example.com", "short", "too short"),
            ("a@example.com", "1234567890", "common"),
        ],
    )
    def test_what_a_form_would_refuse_is_refused(
        self, capsys: pytest.CaptureFixture[str], email: str, password: str, says: str
    ) -> None:
        said = Said(capsys, "user", "add", email, "--name", "Ann", "--password", password)
        assert said.code == 1
        assert says in said.err
        assert said.err.count("\n") == 1

    def test_a_personal_key(self, capsys: pytest.CaptureFixture[str], cast: Cast) -> None:
        token = Said(capsys, "key", "add", cast.alice.email.upper()).out.strip()
        with workspace_scope(cast.member(cast.alice).workspace_id):
            assert ApiKey.objects.get(prefix=token[:9]).user_id == cast.alice.id

    def test_a_key_of_an_organization(self, capsys: pytest.CaptureFixture[str], cast: Cast) -> None:
        where = ["--organization", str(cast.acme.slug), "--role", "member"]
        token = Said(capsys, "key", "add", cast.alice.email, *where).out.strip()
        with workspace_scope(cast.acme.id):
            key = ApiKey.objects.get(prefix=token[:9])
            assert (key.user_id, key.role) == (None, "member")

    @pytest.mark.parametrize(
        ("arguments", "code", "says"),
        [
            (["nobody@example.com"], 1, "There is no account with the address nobody@example.com."),
            (["nobody@example.com", "--role", "admin"], USAGE, "--organization and --role belong together."),
        ],
    )
    def test_a_key_for_nobody(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
    ) -> None:
        said = Said(capsys, "key", "add", *arguments)
        assert (said.code, said.err) == (code, f"staffroom: {says}\n")

    def test_a_key_of_an_organization_that_one_is_not_in(
        self, capsys: pytest.CaptureFixture[str], cast: Cast
    ) -> None:
        said = Said(
            capsys, "key", "add", cast.alice.email, "--organization", str(cast.rival.slug), "--role", "admin"
        )
        assert said.code == 1
        assert f"is not in an organization with the address /o/{cast.rival.slug}" in said.err


class TestMoney:
    def test_the_catalogue_is_shown_and_changed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "10,000,000 words" in Said(capsys, "plans", "list").out
        silver = ("plans", "set", "silver", "--name", "Silver", "--words", "5000", "--price", "900")
        assert "Silver: 5,000 words a month for 9.00 USD." in Said(capsys, *silver).out
        assert Said(capsys, "plans", "hide", "silver").code == 0
        assert "(not offered)" in Said(capsys, "plans", "list").out

    def test_what_is_no_plan_is_said_in_a_sentence(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = Said(capsys, "plans", "set", "bronze", "--price", "900")
        assert (said.code, "needs a name" in said.err) == (1, True)

    def test_an_invoice_is_confirmed_once_and_refunded(
        self, capsys: pytest.CaptureFixture[str], cast: Cast
    ) -> None:
        before = self._left(cast)
        with cast.inside(cast.acme):
            begun = payments.begin(plans.order(amount=5000), "invoice", by="system", numbered=True)
        number = str(begun.number)
        assert str(cast.acme.slug) in Said(capsys, "payments", "list").out
        for _ in range(2):
            assert "1,000,000 words are granted" in Said(capsys, "payments", "confirm", number).out
            assert self._left(cast) == before + 1_000_000
        assert "25.00 USD" in Said(capsys, "payments", "refund", number, "--cents", "2500").out
        assert self._left(cast) == before + 500_000

    def test_an_invoice_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = Said(capsys, "payments", "confirm", "999999999")
        assert (said.code, "There is no invoice" in said.err) == (1, True)

    @staticmethod
    def _left(cast: Cast) -> int:
        with cast.inside(cast.acme):
            return balances.balance().words_left


class TestWords:
    def test_a_grant_to_a_person_lasts_to_the_end_of_its_day(
        self, capsys: pytest.CaptureFixture[str], cast: Cast
    ) -> None:
        grant = ["--user", cast.alice.email, "5_000", "--expires", "2099-12-31", "--reason", "kindness"]
        assert Said(capsys, "words", "grant", *grant).out.startswith("Granted 5,000 words; ")
        with workspace_scope(cast.member(cast.alice).workspace_id):
            parts = [part for part in balances.balance().parts if part.source == "bonus"]
        assert [(part.words, part.expires_at) for part in parts] == [(5000, datetime(2100, 1, 1, tzinfo=UTC))]

    def test_two_grants_are_two(self, capsys: pytest.CaptureFixture[str], cast: Cast) -> None:
        grant = ["--organization", str(cast.acme.slug), "10", "--source", "purchased", "--reason", "paid"]
        left = [Said(capsys, "words", "grant", *grant).out.split()[3].replace(",", "") for _ in range(2)]
        assert int(left[1]) - int(left[0]) == 10

    @pytest.mark.parametrize("words", ["0", "-5", "many", "1.5", "9" * 30])
    def test_a_number_that_is_none(self, capsys: pytest.CaptureFixture[str], words: str) -> None:
        assert (
            Said(capsys, "words", "grant", "--user", "a@example.com", "--reason", "x", "--", words).code
            == USAGE
        )

    @pytest.mark.parametrize("day", ["2020-01-01", "soon", "2027-13-01"])
    def test_a_day_that_has_passed_or_never_comes(self, capsys: pytest.CaptureFixture[str], day: str) -> None:
        grant = ["--user", "a@example.com", "5", "--reason", "x", "--expires", day]
        assert Said(capsys, "words", "grant", *grant).code == USAGE

    def test_an_organization_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = Said(capsys, "words", "grant", "--organization", "no-such", "5", "--reason", "x")
        assert (said.code, said.err) == (
            1,
            "staffroom: There is no organization with the address /o/no-such.\n",
        )

    def test_a_sound_ledger(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The ledger's own tests break wallets of this database on purpose: here only the sentence counts."""
        monkeypatch.setattr("staffroom.billing.checks.problems", lambda every: [])
        said = Said(capsys, "ledger", "check")
        assert (said.code, said.out) == (0, "The ledger is sound: every balance is what its entries say.\n")

    def test_a_difference_is_named(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("staffroom.billing.checks.problems", lambda every: ["acme: 7 instead of 8 words"])
        said = Said(capsys, "ledger", "check", "--all")
        assert (said.code, said.out) == (1, "acme: 7 instead of 8 words\n")


class TestDoctor:
    def test_everything_is_looked_at(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = Said(capsys, "doctor")
        assert said.code == 0, said.out
        for subject in (
            "versions",
            "database",
            "vectors",
            "roles",
            "wall",
            "mail",
            "queue",
            "storage",
            "models",
        ):
            assert f"  {subject} " in said.out

    def test_a_check_that_breaks_is_a_finding(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def _mail(home: object) -> doctor.Findings:
            raise ConnectionRefusedError("nobody listens")

        monkeypatch.setattr(doctor, "CHECKS", (_mail, doctor._versions))
        said = Said(capsys, "doctor")
        assert said.code == 1
        assert "bad   mail       ConnectionRefusedError: nobody listens\n" in said.out
        assert "ok    versions" in said.out


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["user"], ["run", "--port", "0"], ["run", "--port", "x"]]
)
def test_a_wrong_command_line_shows_how_it_goes(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    said = Said(capsys, *arguments)
    assert said.code == USAGE
    assert "usage: staffroom" in said.err
