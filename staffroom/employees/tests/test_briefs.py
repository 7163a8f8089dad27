"""What an employee is told: plain values in, plain values out, within bounds."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from staffroom.core import words
from staffroom.employees import briefs
from staffroom.employees.briefs import Employee, Said
from staffroom.employees.settings import PHRASE, Settings
from staffroom.knowledge.search import Found

TODAY = date(2026, 3, 2)


def employee(*, knows: bool = False, **settings: object) -> Employee:
    return Employee("Mira", "You sell hats.", "extract", Settings(**settings), knows)  # type: ignore[arg-type]


def found(text: str, number: int = 0, heading: str = "Prices") -> Found:
    return Found(UUID(int=number), UUID(int=99), "Handbook", heading, text, number, 1.0)


def test_the_persona_comes_first_then_the_rules_of_the_house() -> None:
    told = briefs.system(employee(reply_limit=50), TODAY)
    assert told.startswith("You sell hats.\n\nYour name is Mira.")
    assert "Monday, 2026-03-02" in told
    assert "50 words" in told
    assert "knowledge base" not in told


def test_the_phrase_is_said_only_to_who_has_knowledge() -> None:
    phrase = {"no_answer": PHRASE, "no_answer_phrase": "Please call us."}
    assert "exactly this: Please call us." in briefs.system(employee(knows=True, **phrase), TODAY)
    assert "Please call us." not in briefs.system(employee(**phrase), TODAY)


def test_managers_speak_for_the_employee_and_sides_alternate() -> None:
    said = [Said("customer", "Hi"), Said("employee", "Hello"), Said("manager", "Ann here"), Said("customer", "A"),
            Said("customer", "B?")]  # fmt: skip
    brief = briefs.build(employee(), said, [], today=TODAY)
    assert [(line.role, line.text) for line in brief.lines] == [
        ("user", "Hi"),
        ("assistant", "Hello\n\nAnn here"),
        ("user", "A\n\nB?"),
    ]


def test_passages_carry_title_and_heading_until_the_room_is_full() -> None:
    brief = briefs.build(
        employee(knows=True),
        [Said("customer", "How much?")],
        [found("word " * 600, n) for n in range(5)],
        today=TODAY,
    )
    assert len(brief.passages) == 2
    assert brief.passages[0].title == "Handbook"
    assert brief.passages[0].text.startswith("# Prices\nword")


def test_old_messages_fall_out_of_the_window() -> None:
    said = [Said("customer" if n % 2 else "employee", f"m{n} " + "word " * 400) for n in range(9)]
    said.append(Said("customer", "now?"))
    lines = briefs.build(employee(), said, [], today=TODAY).lines
    assert len(lines) == 4
    assert lines[-1].text == "now?"


def test_an_endless_message_is_read_up_to_its_bound() -> None:
    brief = briefs.build(employee(), [Said("customer", "word " * 20_000)], [], today=TODAY)
    assert words.count(brief.lines[-1].text) == briefs.MESSAGE


@given(
    st.lists(
        st.tuples(st.sampled_from(["customer", "employee", "manager"]), st.text(max_size=200)), max_size=12
    ),
    st.text(max_size=200),
    st.lists(st.text(max_size=400), max_size=6),
)
def test_a_brief_never_exceeds_its_bounds(history: list, message: str, passages: list) -> None:
    said = [Said(author, text) for author, text in history] + [Said("customer", message)]
    brief = briefs.build(
        employee(knows=True), said, [found(text, n) for n, text in enumerate(passages)], today=TODAY
    )
    sent = brief.sent()
    assert sent.history + sent.message <= briefs.HISTORY + briefs.MESSAGE
    assert sent.knowledge <= briefs.KNOWLEDGE
    assert all(one.role != two.role for one, two in pairwise(brief.lines))
    assert brief.lines[-1].role == "user"
