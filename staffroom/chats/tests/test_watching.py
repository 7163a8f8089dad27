"""Whatever a reader gets to see of rows and notes, in whatever order: what it is told is exactly the reply."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from staffroom.chats.notes import Ended, News, Said
from staffroom.chats.watching import Event, Position, Stored, Watch

TURN, LATER = "0" * 31 + "1", "0" * 31 + "2"


@dataclass
class Reader:
    """Keeps what an API client would: the texts of `delta`, thrown away at a `restart`."""

    text: str = ""
    restarts: int = 0
    ended: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    position: str = ""

    def take(self, events: Any) -> None:
        for event in events:
            assert isinstance(event, Event)
            self.position = event.position
            if event.name == "delta":
                self.text += event.data["text"]
            elif event.name == "restart":
                self.text, self.restarts = "", self.restarts + 1
            elif event.name == "done":
                assert self.text == event.data["text"], "what was told is what is stored"
                self.ended.append(event.data)
                self.messages.append(event.data["number"])
                self.text = ""
            elif event.name == "message":
                self.messages.append(event.data["number"])
            else:
                self.errors.append(event.data["code"])


def reply(text: str, number: int = 2, turn: str = TURN) -> dict[str, Any]:
    return {"number": number, "author": "employee", "text": text, "turn": turn}


def running(text: str, attempt: int = 1, turn: str = TURN) -> Stored:
    return Stored([], [{"id": turn, "state": "running", "attempt": attempt, "draft": text, "failure": ""}])


def said(text: str, cuts: list[int], attempt: int) -> list[Said]:
    places = sorted({0, *(cut % (len(text) + 1) for cut in cuts)})
    return [
        Said(TURN, attempt, start, text[start:end])
        for start, end in zip(places, [*places[1:], len(text)], strict=True)
        if text[start:end]
    ]


texts = st.text(alphabet="ab€ 𝄞", max_size=30)
pieces = st.lists(st.integers(0, 30), max_size=8)


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """What happens to a reply: attempts that die, then one that ends; the text, and all that could be seen."""
    attempts = draw(st.lists(texts, min_size=1, max_size=3))
    final = attempts[-1]
    shown: list[Any] = []
    for number, text in enumerate(attempts, 1):
        notes: list[Any] = said(text, draw(pieces), number)
        checkpoints = [
            running(text[: draw(st.integers(0, len(text)))], number) for _ in range(draw(st.integers(0, 3)))
        ]
        shown += draw(st.permutations([*notes, *checkpoints]))
    stored = reply(final)
    ended = Ended(
        TURN, len(attempts), "done", "", len(final), {k: v for k, v in stored.items() if k != "text"}
    )
    shown.insert(draw(st.integers(0, len(shown))) if draw(st.booleans()) else len(shown), ended)
    kept = [one for one in shown if draw(st.integers(0, 4))]  # a fifth of everything is lost
    doubled = [again for one in kept for again in [one] * draw(st.integers(1, 2))]
    late = draw(st.permutations(doubled)) if draw(st.booleans()) else doubled
    return final, list(late)


def show(watch: Watch, reader: Reader, one: Any) -> None:
    reader.take(watch.read(one) if isinstance(one, Stored) else watch.note(one))


@given(histories(), st.booleans(), st.data())
def test_any_interleaving_of_rows_and_notes_tells_exactly_the_reply(
    history: tuple[str, list[Any]], alone: bool, data: st.DataObject
) -> None:
    final, shown = history
    watch, reader = Watch(Position(1), only=TURN if alone else ""), Reader()
    for one in shown:
        show(watch, reader, one)
        if data.draw(st.integers(0, 5)) == 0:  # the network was lost: come back with the position
            watch = Watch(Position.of(reader.position) or Position(1), only=TURN if alone else "")
    reader.take(
        watch.read(Stored([reply(final)] if watch.number < 2 or (alone and not reader.ended) else [], []))
    )
    assert [one["text"] for one in reader.ended] == [final]
    assert not reader.errors


@given(texts.filter(bool), pieces, pieces, st.integers(0, 30))
def test_a_new_attempt_that_says_the_same_is_never_noticed(
    text: str, first: list[int], second: list[int], died: int
) -> None:
    watch, reader = Watch(Position(1), only=TURN), Reader()
    for note in said(text[: died % (len(text) + 1)], first, 1):
        show(watch, reader, note)
    for note in said(text, second, 2):
        show(watch, reader, note)
    show(watch, reader, Ended(TURN, 2, "done", "", len(text), reply("") | {"number": 2}))
    reader.take(watch.read(Stored([reply(text)], [])) if not watch.over else ())
    assert (reader.restarts, [one["text"] for one in reader.ended]) == (0, [text])


class TestOneReader:
    def setup_method(self) -> None:
        self.watch, self.reader = Watch(Position(1)), Reader()

    def shows(self, *notes: Any) -> None:
        for one in notes:
            show(self.watch, self.reader, one)

    def test_a_new_attempt_that_says_something_else_takes_back_what_was_told(self) -> None:
        self.shows(Said(TURN, 1, 0, "Good morning"), Said(TURN, 2, 0, "Good ev"))
        assert self.reader.text == "Good morning"
        self.shows(Said(TURN, 2, 7, "ening to you"))
        assert (self.reader.text, self.reader.restarts) == ("Good evening to you", 1)

    def test_an_old_attempt_that_wakes_up_is_ignored(self) -> None:
        self.shows(Said(TURN, 2, 0, "New"), Said(TURN, 1, 3, " old"), running("Old words", 1))
        assert self.reader.text == "New"

    def test_a_hole_is_filled_from_the_rows(self) -> None:
        self.watch.must_read = False
        self.shows(Said(TURN, 1, 0, "one "), Said(TURN, 1, 8, "three"))
        assert (self.reader.text, self.watch.must_read) == ("one ", True)
        self.shows(running("one two "))
        assert self.reader.text == "one two three"
        assert not self.watch.has_hole

    def test_a_withdrawn_reply_ends_with_an_error_once(self) -> None:
        gone = {"id": TURN, "state": "cancelled", "attempt": 1, "draft": "", "failure": ""}
        self.shows(
            Said(TURN, 1, 0, "I"),
            Ended(TURN, 1, "cancelled"),
            Ended(TURN, 1, "cancelled"),
            Stored([], [gone]),
        )
        assert self.reader.errors == ["taken_over"]

    def test_a_chat_that_is_gone_ends_its_reply_once_however_it_is_noticed(self) -> None:
        self.shows(Said(TURN, 1, 0, "I"), Ended(TURN, 1, "cancelled", "chat_gone"))
        self.reader.take(self.watch.vanished())
        other, alone = Reader(), Watch(Position(1), only=TURN)
        other.take(alone.vanished())
        assert (self.reader.errors, other.errors, alone.over) == (["chat_gone"], ["chat_gone"], True)
        assert not list(Watch(Position(1)).vanished()), "nothing was being written"

    def test_after_one_reply_the_next_one_is_told_from_its_beginning(self) -> None:
        self.shows(Said(TURN, 1, 0, "One"), Said(LATER, 1, 0, "Two"))
        assert self.watch.must_read, "the end of the first was missed"
        customer = {"number": 3, "author": "customer", "text": "?", "turn": ""}
        self.shows(Stored([reply("One"), customer, reply("Two", 4, LATER)], []))
        assert self.reader.messages == [2, 3, 4]

    def test_a_turn_whose_end_nobody_remembers_is_taken_back(self) -> None:
        self.shows(Said(TURN, 1, 0, "One"), running("Two", turn=LATER))
        assert (self.reader.text, self.reader.restarts) == ("Two", 1)

    def test_whoever_follows_one_turn_hears_nothing_else(self) -> None:
        watch = Watch(Position(1), only=TURN)
        watch.expect_nothing_stored()
        assert list(watch.note(Said(LATER, 1, 0, "No"))) == []
        assert list(watch.note(News())) == []
        assert not watch.must_read

    def test_news_ask_for_the_rows(self) -> None:
        self.watch.must_read = False
        self.shows(News())
        assert self.watch.must_read


class TestPosition:
    def test_what_was_written_is_read(self) -> None:
        position = Position(7, TURN, 12, 99)
        assert Position.of(str(position)) == position
        assert Position.of(str(replace(position, told=-1))) == replace(position, told=-1)
        assert Position.of("7") == Position(7)

    @given(st.text(max_size=60))
    def test_anything_else_is_no_position(self, text: str) -> None:
        found = Position.of(text)
        assert found is None or found.number >= 0
