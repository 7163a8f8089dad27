import pytest

from staffroom.core import paging
from staffroom.core.errors import Invalid


def _letters(after: tuple[str] | None, limit: int) -> list[str]:
    return [letter for letter in "abcdefg" if after is None or letter > after[0]][: limit + 1]


def test_pages_follow_one_another_to_the_end() -> None:
    seen, cursor = [], None
    while True:
        after = paging.position("letters", cursor, tuple[str])
        page = paging.page(_letters(after, 3), 3, "letters", lambda letter: (letter,))
        seen.append("".join(page.items))
        if (cursor := page.next) is None:
            break
    assert seen == ["abc", "def", "g"]


@pytest.mark.parametrize("forged", ["x", "ÿ", "a" * 50, "====", " "])
def test_a_cursor_that_is_not_ours_is_bad_input(forged: str) -> None:
    with pytest.raises(Invalid):
        paging.position("letters", forged, tuple[str])


def test_a_cursor_of_another_list_is_bad_input() -> None:
    with pytest.raises(Invalid):
        paging.position("letters", paging.cursor("numbers", ("a",)), tuple[str])
