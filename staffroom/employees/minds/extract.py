"""The model that needs no key and no network: it quotes the best sentences of the passages and says so."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import log
from typing import Final

from staffroom.employees.minds.brief import Brief, Passage
from staffroom.employees.minds.credentials import Credentials

QUOTED_SENTENCES: Final = 4
WORDS_IN_A_PIECE: Final = 4


@dataclass(frozen=True, slots=True)
class Speech:
    """What it says besides its quotes."""

    found: str
    nothing_fits: str
    nothing_known: str


SPEECHES: Final = {
    "en": Speech(
        "I am the built-in extract model, not a language model. These are the passages that fit best, word for word:",
        "I found nothing about this in my knowledge base. I am the built-in extract model, not a language model: I "
        "can only quote texts. Please ask in other words, or add a text about it to the knowledge base.",
        "My knowledge base is still empty. I am the built-in extract model, not a language model: I can only quote "
        "texts. Please add a text to the knowledge base, or choose a language model in the settings.",
    ),
    "ru": Speech(
        "Я встроенная модель extract, а не языковая модель. Вот самые подходящие отрывки, дословно:",
        "Об этом в моей базе знаний ничего не нашлось. Я встроенная модель extract, а не языковая модель: я умею "
        "только цитировать тексты. Спросите другими словами или добавьте текст об этом в базу знаний.",
        "Моя база знаний пока пуста. Я встроенная модель extract, а не языковая модель: я умею только цитировать "
        "тексты. Добавьте текст в базу знаний или выберите языковую модель в настройках.",
    ),
}


async def stream(kind: str, name: str, brief: Brief, keys: Credentials) -> AsyncGenerator[str, None]:
    for piece in _pieces(answer(brief)):
        yield piece
        await asyncio.sleep(0)


def answer(brief: Brief) -> str:
    speech = SPEECHES[_language(brief.question)]
    if not brief.passages:
        return speech.nothing_known
    best = _best(brief.question, brief.passages)
    if not best:
        return speech.nothing_fits
    quotes = (
        f"> {' '.join(sentence.text for sentence in said)}\n> — *{title}*"
        for title, said in groupby(best, key=lambda sentence: sentence.title)
    )
    return "\n\n".join([speech.found, *quotes])


def _language(question: str) -> str:
    cyrillic = len(re.findall("[а-яё]", question, re.IGNORECASE))
    return "ru" if cyrillic > len(re.findall("[a-z]", question, re.IGNORECASE)) else "en"


def _pieces(text: str) -> Iterator[str]:
    return iter(re.findall(rf"(?:\s*\S+){{1,{WORDS_IN_A_PIECE}}}\s*", text))


# Which sentences fit


@dataclass(frozen=True, slots=True)
class _Sentence:
    """`around` are the words of the title and the heading above it."""

    title: str
    text: str
    stems: frozenset[str]
    around: frozenset[str]


def _best(question: str, passages: tuple[Passage, ...]) -> list[_Sentence]:
    """The sentences that share the rarest words with the question, in the order of the passages."""
    sentences = list(dict.fromkeys(sentence for passage in passages for sentence in _sentences(passage)))
    known = Counter(stem for sentence in sentences for stem in sentence.stems | sentence.around)
    weight = {stem: log(1 + len(sentences) / known[stem]) for stem in _stems(question) if known[stem]}
    scores = {sentence: _score(sentence, weight) for sentence in sentences}
    top = max(scores.values(), default=0)
    good = [sentence for sentence in sentences if scores[sentence] > top / 2]
    chosen = sorted(good, key=lambda sentence: scores[sentence], reverse=True)[:QUOTED_SENTENCES]
    return [sentence for sentence in good if sentence in chosen]


def _score(sentence: _Sentence, weight: Mapping[str, float]) -> float:
    own = sum(weight.get(stem, 0) for stem in sentence.stems)
    return own + sum(weight.get(stem, 0) for stem in sentence.around - sentence.stems) / 2


def _sentences(passage: Passage) -> Iterator[_Sentence]:
    title = around = _stems(passage.title)
    for line in passage.text.splitlines():
        if line.startswith("#"):
            around = title | _stems(line)
            continue
        for text in _SENTENCE_END.split(_MARKUP.sub("", line)):
            if plain := " ".join(text.split()):
                yield _Sentence(passage.title, plain, _stems(plain), around)


_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")
_MARKUP: Final = re.compile(r"^\s*(?:[-*+>]|\d+[.)])\s+")


def _stems(text: str) -> frozenset[str]:
    """Its telling words without their endings: enough to see that deliveries and delivered are about the same."""
    found = (word.casefold().replace("ё", "е") for word in _TELLING.findall(text))
    return frozenset(_ENDING.sub("", word) for word in found if word not in _COMMON)


_TELLING: Final = re.compile(r"[\u3400-\u9fff\u3040-\u309f]|[^\W_\u3400-\u9fff\u3040-\u309f]+")
_ENDING: Final = re.compile(
    r"(?<=\w{3})(?:er(?:ings?|ies|ied|ed|s|ly|y)?|ings?|ies|ied|ed|es|s|ly|y|e)$"
    r"|(?<=\w{3})(?:[аеиоуыэюяйь]*(?:ами|ями|ого|его|ому|ему|ыми|ими|ах|ях|ам|ям|ом|ем|ов|ев|ут|ют|ат|ят|ет|ит|ть|л[аои]?)?"
    r"[аеиоуыэюяйь]*)$"
)
_COMMON_WORDS: Final = """
a about am an and any are as at be been but by can could did do does for from had has have how i if in is it its me my
no not of on or our please so some tell that the their them there they this to us was we were what when where which
who why will with would you your
а без бы был была были было в вам вас ваш вы где да для до его ее если есть же за и из или их к как какая какие какой
когда кто ли мне можно мой мы на нам нас наш не нет но о об он она они от по при с сколько со так там то ты у уже что
чем это я
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())
