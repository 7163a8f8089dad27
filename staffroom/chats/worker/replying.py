"""One reply, from the claimed turn to the stored message. No transaction is open while the model thinks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from staffroom.chats import briefs, failures, notes, prices
from staffroom.core import words
from staffroom.core.ids import new_id
from staffroom.core.pools import GONE, Pool
from staffroom.employees import minds
from staffroom.employees.catalogue import actual
from staffroom.employees.minds import Brief, ModelFailed, Sent
from staffroom.employees.rates import price
from staffroom.employees.settings import Settings
from staffroom.knowledge.search import Found

from . import turns
from .finishing import Finish, Finisher
from .turns import LOST, Material, Outcome, Turn
from .voice import Voice

log = logging.getLogger(__name__)

ATTEMPTS: Final = 4
"""Workers that may die over one turn."""
LONGEST: Final = 600.0
"""Seconds of one attempt."""
SECOND_TRY: Final = 0.7
"""Seconds after which a model that failed before its first word is asked once more."""


class Given(Exception):
    """There will be no reply; nothing is charged."""

    def __init__(self, failure: str, detail: str = "") -> None:
        super().__init__(failure)
        self.failure, self.detail = failure, detail


@dataclass(slots=True)
class Task:
    """What is to be written, and how many words of reply are paid."""

    brief: Brief
    sent: Sent
    paid: int
    name: str
    citations: list[dict[str, Any]]


class Replier:
    def __init__(self, pool: Pool, finisher: Finisher, voice: Voice) -> None:
        self._pool, self._finisher, self._voice = pool, finisher, voice

    async def reply(self, turn: Turn) -> Outcome:
        try:
            async with asyncio.timeout(LONGEST):
                task = await self._prepare(turn, turn.material)
                cut = await self._write(turn, task)
            finish = _done(turn, task, cut)
        except GONE:
            raise  # the lease runs out, and the turn is taken again
        except Given as given:
            finish = {"state": "failed", "failure": given.failure, "detail": given.detail}
        except TimeoutError:
            finish = _done(turn, task, "model_slow") if turn.length else _failed("model_slow")
        except Exception as error:
            log.exception("turn %s", turn.id)
            finish = _done(turn, task, "internal") if turn.length else _failed("internal", repr(error))
        self._voice.flush(turn)
        turn.ending = True
        outcome = await self._finisher.finish(turn, finish)
        _announce(turn, finish, outcome)
        return outcome

    async def _prepare(self, turn: Turn, material: Material) -> Task:
        if material.persona is None or material.model is None or not material.active:
            raise Given(failures.EMPLOYEE_OFF)
        if turn.attempt > ATTEMPTS:
            raise Given(failures.INTERRUPTED)
        found = await self._look_up(turn, material)
        employee = briefs.Employee(
            name=material.name,
            persona=material.persona,
            model=actual(material.model),
            settings=Settings.of(material.settings or {}),
            knows=bool(material.sources),
        )
        # What waits for an answer comes last, whatever was said meanwhile.
        lines = sorted(material.lines or [], key=lambda line: line[0] == "customer" and line[1])
        said = [briefs.Said(author, text) for author, _, _, text in lines]
        brief = briefs.build(employee, said, found, today=datetime.now(UTC).date())
        return await self._afford(turn, material, brief, found)

    async def _look_up(self, turn: Turn, material: Material) -> list[Found]:
        lines = material.lines or []
        question = "\n".join(text for author, waits, _, text in lines if author == "customer" and waits)
        if not material.sources or not question:
            return []
        return await turns.search(self._pool, turn, material.sources, question, briefs.PASSAGES)

    async def _afford(self, turn: Turn, material: Material, brief: Brief, found: list[Found]) -> Task:
        """Make the brief fit what is held, after asking for what it would take in full."""
        most = price(brief.sent().total + brief.max_words, brief.model)
        held, short = material.held or 0, ""
        if held < most:
            held, short = await turns.hold(self._pool, turn, most)
        room = prices.affordable(held, brief.model)
        fitting = briefs.shorter(brief, room - min(briefs.FEWEST, brief.max_words))
        if fitting is None:
            raise Given(short or failures.OUT_OF_WORDS)
        used = {passage.id for passage in fitting.passages}
        citations = [_citation(one) for one in found if str(one.id) in used]
        return Task(fitting, fitting.sent(), room - fitting.sent().total, material.name, citations)

    async def _write(self, turn: Turn, task: Task) -> str:
        """Why the reply ended before its end; empty when it did not."""
        counter = words.Counter() if task.paid < task.brief.max_words else None
        try:
            async with aclosing(_pieces(task.brief)) as pieces:
                async for piece in pieces:
                    piece = piece.replace("\0", "")
                    if counter and (short := await self._pay(turn, task, counter, piece)):
                        return short
                    if piece and not counter:
                        self._voice.say(turn, piece)
        except ModelFailed as failed:
            if not turn.length:
                raise Given(failed.code, failed.detail) from failed
            return failed.code
        if not turn.text.strip():
            raise Given("model_nonsense", "The reply is empty.")
        return ""

    async def _pay(self, turn: Turn, task: Task, counter: words.Counter, piece: str) -> str:
        """Says as much of the piece as is paid; what is short when that is not all and no more words are to be had."""
        short = ""
        allowed = counter.cut(piece, task.paid)
        if len(allowed) < len(piece):
            sent, model = task.sent.total, task.brief.model
            held, short = await turns.hold(self._pool, turn, price(sent + task.brief.max_words, model))
            task.paid = max(task.paid, prices.affordable(held, model) - sent)
            allowed = counter.cut(piece, task.paid)
        if allowed:
            counter.feed(allowed)
            self._voice.say(turn, allowed)
        return "" if len(allowed) == len(piece) else short or failures.OUT_OF_WORDS


async def _pieces(brief: Brief) -> AsyncGenerator[str, None]:
    """The reply; a model that fails before its first word and may do better is asked once more."""
    begun = False
    try:
        async with aclosing(minds.stream(brief)) as pieces:
            async for piece in pieces:
                begun = begun or bool(piece)
                yield piece
        return
    except ModelFailed as failed:
        if begun or not failed.retryable or (failed.retry_after or 0) > SECOND_TRY:
            raise
    await asyncio.sleep(SECOND_TRY)
    async with aclosing(minds.stream(brief)) as pieces:
        async for piece in pieces:
            yield piece


def _done(turn: Turn, task: Task, cut: str) -> Finish:
    text = turn.text
    broken = bool(cut) and cut not in (failures.OUT_OF_WORDS, failures.MEMBER_LIMIT)
    cost = prices.Price(task.brief.model, task.sent, words.count(text), cut=broken)
    return {
        "state": "done",
        "message": new_id(),
        "name": task.name,
        "text": text,
        "words": cost.written,
        "cost": cost.words,
        "cut": cut,
        "model": task.brief.model,
        "price": cost.details(),
        "citations": task.citations,
    }


def _failed(failure: str, detail: str = "") -> Finish:
    return {"state": "failed", "failure": failure, "detail": detail}


def _citation(found: Found) -> dict[str, Any]:
    return {
        "passage": str(found.id),
        "source": str(found.source_id),
        "title": found.title,
        "heading": found.heading,
        "number": found.number,
    }


def _announce(turn: Turn, finish: Finish, outcome: Outcome) -> None:
    if outcome.verdict == LOST:
        return
    note = notes.Ended(turn.id.hex, turn.attempt, outcome.verdict, finish.get("failure", ""))
    if outcome.verdict == "done":
        reply = {
            "id": outcome.message,
            "number": outcome.number,
            "author": "employee",
            "name": finish["name"],
            "created_at": outcome.at,
            "words": outcome.charged,
            "price": finish["price"],
            "citations": finish["citations"],
            "model": finish["model"],
            "cut": finish["cut"],
            "turn": turn.id.hex,
        }
        note = notes.Ended(turn.id.hex, turn.attempt, "done", "", turn.length, reply)
    notes.post(turn.chat_id.hex, note)
