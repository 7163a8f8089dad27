import asyncio

import pytest

from staffroom.core.words import count
from staffroom.employees import minds
from staffroom.employees.minds import Brief, Credentials, Line, Passage

DELIVERY = Passage(
    "1",
    "Delivery terms",
    "# Delivery\nWe deliver within two working days. Orders placed before noon leave the same day.\n\n"
    "# Returns\n- Returns are free for 30 days.\n- Opened software cannot be returned.",
)
HOURS = Passage("2", "Часы работы", "Магазин открыт с девяти до шести. Доставка занимает два дня.")


def pieces(question: str, *passages: Passage, max_words: int = 300) -> list[str]:
    async def collect() -> list[str]:
        asked = Brief("extract", "Be kind.", (Line("user", question),), passages, max_words)
        return [piece async for piece in minds.stream(asked, Credentials())]

    return asyncio.run(collect())


def reply(question: str, *passages: Passage, **more: int) -> str:
    return "".join(pieces(question, *passages, **more))


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("How long does delivery take?", "We deliver within two working days."),
        ("Can I return an order?", "Returns are free for 30 days."),
        ("when does my ORDER leave?", "Orders placed before noon leave the same day."),
        ("Когда открывается магазин?", "Магазин открыт с девяти до шести."),
        ("Сколько дней идёт доставка?", "Доставка занимает два дня."),
    ],
)
def test_the_sentence_that_fits_is_quoted_with_its_source(question, quote):
    said = reply(question, DELIVERY, HOURS)
    assert quote in said
    assert (DELIVERY.title if quote in DELIVERY.text else HOURS.title) in said


def test_it_says_in_the_language_of_the_question_what_it_is():
    assert "not a language model" in reply("Delivery?", DELIVERY)
    assert "не языковая модель" in reply("А доставка?", HOURS)


def test_when_nothing_fits_it_says_so_and_what_to_do():
    said = reply("What is the meaning of life?", DELIVERY)
    assert "found nothing" in said
    assert "other words" in said
    assert DELIVERY.title not in said


def test_without_knowledge_it_says_where_to_add_some():
    assert "knowledge base is still empty" in reply("Hello")
    assert "база знаний пока пуста" in reply("Привет")


def test_it_streams_in_small_pieces_and_keeps_to_its_limit():
    assert len(pieces("delivery", DELIVERY)) > 3
    assert count(reply("delivery", DELIVERY, max_words=10)) == 10


@pytest.mark.parametrize("text", ["", "\n\n###\n", "x" * 50_000, "漢字" * 1000, "\u200b\u202e", ">" * 1000])
def test_strange_passages_and_questions_do_no_harm(text):
    assert "extract" in reply(text, Passage("1", text, text))
    assert "extract" in reply("delivery", Passage("1", text, text))
