import time

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from staffroom.core.words import Counter, count, cut

CLASSES = {
    name: regex.compile(pattern, regex.VERSION1)
    for name, pattern in {
        "mark": r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]",
        "line": r"[\r\n\p{WB=Newline}]",
        "H": r"\p{WB=Hebrew_Letter}",
        "L": r"\p{WB=ALetter}",
        "N": r"\p{WB=Numeric}",
        "K": r"\p{WB=Katakana}",
        "_": r"\p{WB=ExtendNumLet}",
        ":": r"\p{WB=MidLetter}",
        ";": r"\p{WB=MidNum}",
        ".": r"\p{WB=MidNumLet}",
        "'": r"\p{WB=Single_Quote}",
        '"': r"\p{WB=Double_Quote}",
        "alone": r"[\p{Alphabetic}\p{N}]",
    }.items()
}


def by_the_rules(text: str) -> int:
    """The words of a text, by the rules of the standard one after the other."""
    kinds = [""]
    for char in text:
        kind = next((name for name, pattern in CLASSES.items() if pattern.match(char)), "")
        if kind != "mark":
            kinds.append(kind)
        elif kinds[-1] == "line":
            kinds.append("")
    kinds += ["", ""]
    words, counts = 0, False
    for before, left, right, after in zip(["", *kinds], kinds, kinds[1:], kinds[2:], strict=False):
        counts = counts or left in {"H", "L", "N", "K", "alone"}
        if not joined(before, left, right, after):
            words += counts
            counts = False
    return words


def joined(before: str, left: str, right: str, after: str) -> bool:
    letters = {"H", "L"}
    return (
        (left in letters and right in letters)  # WB5
        or (left in letters and right in {":", ".", "'"} and after in letters)  # WB6
        or (before in letters and left in {":", ".", "'"} and right in letters)  # WB7
        or (left == "H" and right == "'")  # WB7a
        or (left == "H" and right == '"' and after == "H")  # WB7b
        or (before == "H" and left == '"' and right == "H")  # WB7c
        or (left in {*letters, "N"} and right in {*letters, "N"})  # WB8, 9, 10
        or (before == "N" and left in {";", ".", "'"} and right == "N")  # WB11
        or (left == "N" and right in {";", ".", "'"} and after == "N")  # WB12
        or (left == right == "K")  # WB13
        or (left in {*letters, "N", "K", "_"} and right == "_")  # WB13a
        or (left == "_" and right in {*letters, "N", "K"})  # WB13b
    )


tricky = st.sampled_from(
    [
        *"aZ1９_.:,;'\"-’· \n\t\r٠٫жßéΩאבगि々漢ひカー한",
        "\u0301",
        "\u200d",
        "\u200b",
        "\u2060",
        "\u00ad",
        "\ufe0f",
        "👩",
        "½",
    ]
)
texts = st.text(tricky, max_size=30) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \n\t", 0),
        ("Good morning, Alice!", 3),
        ("can't won’t e.g. U.S.A.", 4),
        ("3.14 1,000,000 10:30", 4),
        ("snake_case __init__ ___", 2),
        ("state-of-the-art", 4),
        ("alice@example.com", 2),
        ("Съешь ещё этих булок", 4),
        ("我能吞下玻璃", 6),
        ("ひらがな", 4),
        ("カタカナ", 1),
        ("한국어 문장", 2),
        ('צה"ל הוא', 2),
        ("नमस्ते दुनिया", 2),
        ("👩‍👩‍👧 🎉 — … §", 0),
        ("½ ② Ⅷ", 3),
        ("cafe\u0301 café", 2),
        ("one\u200btwo", 2),
        ("soft\u00adhyphen word\u2060joiner", 2),
        ("ฉันกินกระจกได้", 3),
    ],
)
def test_words_are_counted_as_the_standard_says(text, words):
    assert count(text) == words


@given(texts)
def test_the_count_agrees_with_the_rules_of_the_standard(text):
    assume(not regex.search(r"\p{LB=SA}", text))  # ours: the standard asks for a dictionary there
    assert count(text) == by_the_rules(text)


@given(texts, st.lists(st.integers(1, 5)))
def test_pieces_count_as_much_as_the_whole(text, sizes):
    counter, rest = Counter(), text
    for size in sizes:
        counter.feed(rest[:size])
        rest = rest[size:]
        assert counter.words == count(text[: len(text) - len(rest)])
    counter.feed(rest)
    assert counter.words == count(text)


@given(texts, texts)
def test_joining_texts_adds_no_words(one, other):
    assert count(one + other) <= count(one) + count(other)
    assert count(f"{one} {other}") == count(one) + count(other)


@given(texts, st.integers(0, 12))
def test_a_cut_text_is_a_beginning_with_at_most_that_many_words(text, words):
    short = cut(text, words)
    assert text.startswith(short)
    assert count(short) == min(words, count(text))


@pytest.mark.parametrize("piece", ["_", "a_", "'", "a'", "e\u0301", "\u0301", "ก", 'א"', "漢", "a."])
def test_no_text_is_slow_to_count(piece):
    begun = time.process_time()
    count(f"é{piece * 50_000}א")
    assert time.process_time() - begun < 1
