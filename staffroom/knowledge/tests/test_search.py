"""Real questions over real texts, in three languages; and what a search may never find."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from staffroom.knowledge import ingestion, search, sources
from staffroom.knowledge.models import Passage, Source
from tests.cast import Cast

from . import texts

QUESTIONS = [
    ("When do you open on Sundays?", "Opening hours"),
    ("Are you open on Christmas, I mean on public holidays?", "Opening hours"),
    ("How much does it cost to rent an e-bike for a day?", "Prices"),
    ("My tyre is flat, who helps me?", "When something breaks"),
    ("Do I have to leave a deposit for a cargo bike?", "What to bring"),
    ("Hello! I'd like to know how many days I have to return a jacket?", "Sending things back"),
    ("When will I get my refund?", "Refunds"),
    ("How long is the warranty on the battery?", "Warranty"),
    ("How many days of holiday do I get?", "Holidays and illness"),
    ("Who knows the alarm code?", "Your first week"),
    ("Сколько стоит доставка по городу?", "Доставка"),
    ("какая гарантия на аккумуляторы?", "Гарантия"),
    ("Можно ли оплатить по счету от юрлица?", "Оплата"),
    ("退货要多少天之内？", "退货政策"),
    ("电动自行车租一天多少钱？", "租车价格"),
    ("星期天你们营业吗", "营业时间"),
]

AMONG_THE_FIRST = [  # common words outweigh the one that matters
    ("what happens if i bring the bike back too late", "Coming back late"),
    ("can I send back a helmet", "What cannot be returned"),
]


class Library(Cast):
    """Acme's library with the five texts."""

    def __init__(self) -> None:
        super().__init__()
        alice = self.member(self.alice, self.acme)
        with self.inside(self.acme):
            self.sources = [sources.add(title, text, by=alice).id for title, text in texts.ALL.items()]


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


class TestQuestions:
    def ask(self, library: Library, question: str, **options: int) -> list[search.Found]:
        with library.inside(library.acme):
            return search.find(question, library.sources, **options)

    @pytest.mark.parametrize(("question", "heading"), QUESTIONS)
    def test_the_best_passage_answers(self, library: Library, question: str, heading: str) -> None:
        found = self.ask(library, question)
        assert found, "nothing was found"
        assert found[0].heading.split(" › ")[-1] == heading

    @pytest.mark.parametrize(("question", "heading"), AMONG_THE_FIRST)
    def test_the_answer_is_among_the_first_three(self, library: Library, question: str, heading: str) -> None:
        found = self.ask(library, question, limit=3)
        assert heading in [one.heading.split(" › ")[-1] for one in found]

    def test_the_best_come_first_and_the_far_off_are_left_out(self, library: Library) -> None:
        found = self.ask(library, "How long is the warranty on the battery?", limit=3)
        ranks = [one.rank for one in found]
        assert ranks == sorted(ranks, reverse=True)
        assert len(found) <= 3
        assert ranks[-1] >= ranks[0] / 4 - 1e-6

    def test_only_the_sources_asked_for_are_searched(self, library: Library) -> None:
        with library.inside(library.acme):
            found = search.find("warranty", library.sources[:1])
        assert {one.source_id for one in found} <= {library.sources[0]}

    @pytest.mark.parametrize(
        "question",
        [
            "",
            "   ",
            "!?!",
            "the of and",
            "\x00",
            "xyzzyplugh",
            "' | & !( :* <-> \\",
            "§",
            "a" * 5_000,
            "%s {}",
        ],
    )
    def test_questions_without_an_answer_find_nothing(self, library: Library, question: str) -> None:
        assert self.ask(library, question) == []

    def test_a_very_long_message_is_searched_by_its_ends(self, library: Library) -> None:
        found = self.ask(library, "blah " * 50_000 + " what is the warranty of a frame?")
        assert found[0].heading == "Warranty"

    def test_letters_that_nobody_sees_do_not_hide_a_word(self, library: Library) -> None:
        assert self.ask(library, "war\u200branty of fr\u00adame")[0].heading == "Warranty"
        assert self.ask(library, "ｗａｒｒａｎｔｙ")[0].heading == "Warranty"

    def test_nobody_finds_the_passages_of_another_workspace(self, library: Library) -> None:
        with library.inside(library.rival):
            assert search.find("warranty", library.sources) == []

    def test_the_function_refuses_a_workspace_that_is_not_open(self, library: Library) -> None:
        values = search.parameters(library.acme.id, "warranty", library.sources)
        with pytest.raises(DatabaseError), library.inside(library.rival), connection.cursor() as cursor:
            cursor.execute(search.STATEMENT, values)
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(search.STATEMENT, values)

    def test_many_sources_are_searched_through_the_workspace(self, library: Library) -> None:
        alice = library.member(library.alice, library.acme)
        with library.inside(library.acme):
            more = [
                sources.add(f"Note {n}", f"The code of door {n} is {n * 7} and nothing else.", by=alice).id
                for n in range(20)
            ]
            found = search.find("What is the code of door 13?", [*library.sources, *more])
            assert found[0].title == "Note 13"
            assert search.find("door 13", library.sources) == []

    def test_under_row_security_the_operator_cannot_use_the_index(self, library: Library) -> None:
        with library.inside(library.acme), connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(
                "EXPLAIN SELECT FROM knowledge_passage WHERE tsv @@ %s::tsquery", [f"'§{library.sources[0]}'"]
            )
            plan = " ".join(row[0] for row in cursor.fetchall())
        assert "passages_by_word" not in plan, "under row security @@ cannot use it: hence the function"


def test_a_source_that_is_still_read_is_not_searched() -> None:
    cast = Cast()
    with cast.inside(cast.acme):
        source = sources.add("Half", "The treasure lies under the oak.", by="system")
        assert search.find("treasure", [source.id])
        Source.objects.filter(id=source.id).update(state=Source.PENDING)
        assert search.find("treasure", [source.id]) == []


def test_a_deleted_source_is_found_no_more() -> None:
    cast = Cast()
    alice = cast.member(cast.alice, cast.acme)
    with cast.inside(cast.acme):
        source = sources.add("Gone", "The treasure lies under the oak.", by=alice)
        id_ = source.id
        sources.delete(source, by=alice)
        assert search.find("treasure", [id_]) == []
        assert not Passage.objects.filter(source_id=id_).exists()
    assert ingestion.ingest(cast.acme.id, id_) is None
