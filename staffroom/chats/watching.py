"""What one reader of a chat is told, and when: stored rows and notes of the bus, merged without gap or repeat.

No input and no output here: notes and rows go in, events come out, and `must_read` says that the rows have to be
looked at (again). Notes may be lost, doubled, late, or of an attempt that is over.

A reader is told only the beginning of the attempt that is known without a gap. A new attempt starts over behind
the scenes: when it says the same words, the reader never notices; when it does not, `restart` takes back what was
told. The position of every event lets a reader come back later: it holds the last message, and how much of which
reply was told, with a checksum instead of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from .failures import CHAT_GONE, problem
from .notes import Ended, News, Note, Said

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """Up to which message a reader knows the chat, and up to where a turn: -1 when it knows of its end."""

    number: int = 0
    turn: str = ""
    told: int = -1
    checksum: int = 0

    def __str__(self) -> str:
        return f"{self.number}.{self.turn}.{self.told}.{self.checksum}"

    @classmethod
    def of(cls, text: str) -> Position | None:
        number, *rest = text.split(".")
        if not _is_number(number) or len(rest) not in (0, 3):
            return None
        if not rest:
            return cls(int(number))
        turn, told, checksum = rest
        if len(turn) not in (0, 32) or not _is_number(told.removeprefix("-")) or not _is_number(checksum):
            return None
        return cls(int(number), turn, int(told), int(checksum))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 11


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: Fields
    position: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of one moment: messages after the one asked for, and the last turns, oldest first."""

    messages: list[Fields]
    turns: list[Fields]


class Watch:
    """`only`: follow one turn, until its end, and tell nothing else."""

    def __init__(self, position: Position, *, only: str = "") -> None:
        self.only = only
        self.number = position.number
        self.turn, self._told, self._checksum = position.turn, max(0, position.told), position.checksum
        self._closed = position.told < 0
        self._attempt = 0
        self._text = ""
        self._agrees = self._told == 0
        self._ahead: list[Said] = []
        self.must_read = True
        self._news = False
        self.in_progress = False
        self.over = False

    @property
    def has_hole(self) -> bool:
        return bool(self._ahead)

    @property
    def position(self) -> str:
        told = -1 if self._closed else self._told
        return str(Position(self.number, self.turn, told, self._checksum))

    def expect_nothing_stored(self) -> None:
        """The reader has subscribed before anything could happen: the notes alone will tell."""
        self.must_read, self.in_progress = False, True

    # notes

    def note(self, note: Note) -> Iterator[Event]:
        if isinstance(note, News):
            self._news = not self.only
            self.must_read = self.must_read or self._news
        elif not self._concerns(note.turn):
            return
        elif isinstance(note, Said):
            yield from self._said(note)
        else:
            yield from self._ended(note)

    def _concerns(self, turn: str) -> bool:
        """Turns follow one another in a chat, and their names (UUID 7) grow."""
        if self.only and turn != self.only:
            return False
        return turn > self.turn or (turn == self.turn and not self._closed)

    def _said(self, note: Said) -> Iterator[Event]:
        if self._is_missing_an_end(note.turn) or not self._enter(note.turn, note.attempt):
            return
        if note.at > len(self._text):
            self.must_read = self.must_read or not self._ahead
            self._ahead.append(note)
        elif note.at + len(note.text) > len(self._text):
            self._text += note.text[len(self._text) - note.at :]
            self._catch_up()
            yield from self._tell()

    def _ended(self, note: Ended) -> Iterator[Event]:
        if self._is_missing_an_end(note.turn):
            return
        if note.state != "done":
            self._enter(note.turn, note.attempt)
            yield from self._failed(note.turn, note.state, note.failure)
        elif note.reply and self._is_whole(note):
            yield from self._reply({**note.reply, "text": self._text})
        else:
            self.must_read = True

    def _is_missing_an_end(self, turn: str) -> bool:
        """A turn has begun, and the one that is told has not ended: the rows know how."""
        missing = turn != self.turn and not self._closed
        self.must_read = self.must_read or missing
        return missing

    def _is_whole(self, note: Ended) -> bool:
        assert note.reply
        follows = self.only or note.reply["number"] == self.number + 1
        same = note.turn == self.turn and note.attempt == self._attempt
        return bool(follows and same and self._agrees and len(self._text) == note.length)

    # rows

    def read(self, stored: Stored) -> Iterator[Event]:
        """Without anything else to tell, the news is a change of state: a pause, its end, a turn that waits."""
        self.must_read, news, self._news = False, self._news, False
        for event in self._read(stored):
            news = False
            yield event
        if news:
            yield Event("state", {}, self.position)

    def _read(self, stored: Stored) -> Iterator[Event]:
        for message in stored.messages:
            if not self.only or message["turn"] == self.only:
                yield from self._message(message)
        for turn in stored.turns:
            if self._concerns(turn["id"]):
                yield from self._stored(turn)

    def _message(self, message: Fields) -> Iterator[Event]:
        if message["number"] <= self.number and not self.only:
            return
        if message["author"] == "employee":
            yield from self._reply(message)
        else:
            self.number = message["number"]
            yield Event("message", message, self.position)

    def _stored(self, turn: Fields) -> Iterator[Event]:
        if turn["id"] != self.turn and self._told:
            self._told = self._checksum = 0
            yield Event("restart", {}, self.position)
        if turn["state"] in ("failed", "cancelled"):
            self._enter(turn["id"], turn["attempt"])
            yield from self._failed(turn["id"], turn["state"], turn["failure"])
        elif turn["state"] == "running" and self._enter(turn["id"], turn["attempt"]):
            if len(turn["draft"]) > len(self._text):
                self._text = turn["draft"]
            self._catch_up()
            yield from self._tell()
        elif turn["state"] == "queued":
            self.in_progress = True

    def vanished(self) -> Iterator[Event]:
        """The chat is not there any more: a reply in the making has an end all the same."""
        if turn := self.only or self.turn:
            if turn != self.turn:
                self._enter(turn, 1)
            yield from self._failed(turn, "cancelled", CHAT_GONE)

    # one turn

    def _enter(self, turn: str, attempt: int) -> bool:
        """Make this attempt the one that is told; false when a newer one is already."""
        if turn != self.turn:
            self.turn, self._attempt, self._closed = turn, 0, False
            self._told = self._checksum = 0
        elif attempt < self._attempt:
            return False
        if attempt > self._attempt:
            self._attempt, self._text, self._ahead = attempt, "", []
            self._agrees = self._told == 0
        self.in_progress = True
        return True

    def _catch_up(self) -> None:
        """Join what came before its turn, as far as there is no hole left."""
        while usable := [note for note in self._ahead if note.at <= len(self._text)]:
            self._ahead = [note for note in self._ahead if note.at > len(self._text)]
            for note in usable:
                if note.at + len(note.text) > len(self._text):
                    self._text += note.text[len(self._text) - note.at :]

    def _tell(self) -> Iterator[Event]:
        if not self._agrees:
            if len(self._text) < self._told:
                return  # the new attempt has not come as far as the one that was told
            yield from self._compare()
        if piece := self._text[self._told :]:
            self._told = len(self._text)
            self._checksum = crc32(piece.encode(), self._checksum)
            yield Event("delta", {"text": piece}, self.position)

    def _compare(self) -> Iterator[Event]:
        self._agrees = True
        if crc32(self._text[: self._told].encode()) != self._checksum or len(self._text) < self._told:
            self._told = self._checksum = 0
            yield Event("restart", {}, self.position)

    def _reply(self, message: Mapping[str, Any]) -> Iterator[Event]:
        turn = message["turn"] or ""
        if self._concerns(turn):
            if turn != self.turn:
                self._enter(turn, 1)
            self._text, self._ahead = message["text"], []
            if self._told:
                yield from self._compare()
            yield from self._tell()
            self._close()
        self.number = max(self.number, message["number"])
        yield Event("done", dict(message), self.position)

    def _failed(self, turn: str, state: str, failure: str) -> Iterator[Event]:
        if turn == self.turn and not self._closed:
            self._close()
            yield Event("error", {**problem(state, failure), "turn": turn}, self.position)

    def _close(self) -> None:
        self._closed, self._ahead, self._text, self.in_progress = True, [], "", False
        self._told = self._checksum = 0
        self.over = bool(self.only)
