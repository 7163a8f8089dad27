"""How texts and questions are spelled for the index, so that the same word is always written the same way.

PostgreSQL's parser finds words by the blanks between them. Scripts that write none are cut into overlapping
pairs of letters, as search engines do: 退货政策 becomes 退货 货政 政策, and a question matches by its pairs.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Han, kana, Hangul; Thai, Lao, Burmese, Khmer (their vowel signs are marks, dropped before).
_UNSPACED: Final = re.compile(
    r"[぀-ヿㇰ-ㇿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff가-힣]+|[฀-๿]+|[຀-໿]+|[က-႟]+|[ក-៿]+"
)
_MARKED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_INVISIBLE: Final = re.compile(r"[\u00ad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_GLUE: Final = re.compile(r"(?<=\w)/(?=\w)|(?<=\d)[-–](?=\d)|[_§]")
"""What PostgreSQL takes for a path or a minus sign; § marks sources in the index."""


def spelled(text: str) -> str:
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).replace("\x00", " ")
    text = _GLUE.sub(" ", text).replace("ё", "е").replace("Ё", "Е")
    if text.isascii():
        return text
    if _MARKED.search(text):
        text = "".join(
            char for char in text if not (_MARKED.match(char) and unicodedata.category(char) == "Mn")
        )
    return _UNSPACED.sub(lambda run: f" {_pairs(run[0])} ", text)


def _pairs(run: str) -> str:
    return " ".join(run[at : at + 2] for at in range(len(run) - 1)) or run
