"""No text is lost, no passage is too long, whatever is pasted."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffroom.core import words
from staffroom.knowledge import passages

from . import texts

PIECES = st.sampled_from(
    ["Wir öffnen um zehn. ", "word ", "# Head\n", "## Sub\n\n", "\n\n", "- point\n", "1. step\n", "```\n# no\n```\n",
     "| a | b |\n", "Title\n=====\n", "退货政策。", "…", "\t", " ", "x" * 300, "a.b.c ", "!\n", "---\n", "日本語のテキスト"]
)  # fmt: skip


def bare(text: str) -> str:
    """The letters alone; marks of headings may go."""
    return re.sub(r"[\s#=\-]", "", text)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=80).map("".join)))
def test_every_word_is_in_a_passage_or_its_heading(text: str) -> None:
    pieces = passages.cut(text)
    said = " ".join(f"{piece.heading} {piece.text}" for piece in pieces)
    for word in re.findall(r"[^\W_]+", text):
        assert all(word[at : at + 20] in said for at in range(0, len(word), 200))
    assert bool(pieces) == bool(bare(text)) or not re.search(r"[^\W_]", text)


@given(st.lists(PIECES, max_size=120).map("".join))
def test_passages_are_bounded_and_not_empty(text: str) -> None:
    for piece in passages.cut(text):
        assert piece.text.strip()
        assert words.count(piece.text) <= passages.WORDS
        assert len(piece.text) <= passages.LETTERS


def test_a_passage_never_crosses_a_heading() -> None:
    pieces = passages.cut(texts.HANDBOOK)
    assert [piece.heading for piece in pieces] == [
        "Opening hours",
        "Renting a bicycle › What to bring",
        "Renting a bicycle › Prices",
        "Renting a bicycle › Coming back late",
        "When something breaks",
    ]


def test_sentences_stay_whole_and_the_next_passage_repeats_the_last() -> None:
    sentences = [f"Sentence number {n} has exactly eight words here." for n in range(100)]
    pieces = passages.cut(" ".join(sentences))
    assert len(pieces) > 3
    for piece in pieces:
        assert piece.text.startswith("Sentence number")
        assert piece.text.endswith("here.")
    for former, following in pairwise(pieces):
        assert following.text.split(". ")[0] in former.text


def test_a_paragraph_that_fits_a_passage_is_not_broken() -> None:
    paragraph = " ".join(["This is a sentence of seven words."] * 20)
    first, second = passages.cut(f"{paragraph}\n\n{paragraph}")
    assert first.text == paragraph
    assert second.text.endswith(paragraph)


def test_headings_inside_code_are_code_and_underlined_lines_are_headings() -> None:
    pieces = passages.cut("Top\n===\n\nbefore\n\n```\n# not a heading\n```\n\nSub\n---\n\nafter\n")
    assert [piece.heading for piece in pieces] == ["Top", "Top › Sub"]
    assert "# not a heading" in pieces[0].text


def test_a_heading_with_nothing_below_is_a_passage_of_its_own() -> None:
    pieces = passages.cut("# Parking\n# Dogs are welcome\n\n# Prices\n\nTen euros.")
    assert [(piece.heading, piece.text) for piece in pieces] == [
        ("Parking", "Parking"),
        ("Dogs are welcome", "Dogs are welcome"),
        ("Prices", "Ten euros."),
    ]


def test_chinese_is_cut_between_sentences() -> None:
    pieces = passages.cut("我们从星期二到星期六营业，上午十点到晚上七点。" * 60)
    assert len(pieces) > 5
    assert all(piece.text.endswith("。") and words.count(piece.text) <= passages.WORDS for piece in pieces)


@pytest.mark.parametrize(
    "text",
    ["x" * 1_000_000, "a b " * 250_000, ". " * 200_000, "# " + " #" * 100_000, "\n" * 500_000, "- a\n" * 50_000,
     (" \t" * 500 + "x\n") * 500, "(" * 300_000, "```" * 100_000],
    ids=["no blanks", "no sentences", "only dots", "hashes", "line ends", "points", "blanks", "brackets", "fences"],
)  # fmt: skip
def test_hostile_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    begun = time.process_time()
    passages.cut(text)
    assert time.process_time() - begun < 6
