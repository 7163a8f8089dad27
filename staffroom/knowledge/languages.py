"""Which of PostgreSQL's text search configurations suits a text.

By script first; among languages of one script by their commonest small words. Where neither decides, the honest
answer is `simple`: words as they are written, no endings taken off.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

SIMPLE: Final = "simple"
_SAMPLE: Final = 20_000  # letters looked at
_ENOUGH: Final = 0.08  # small words make up a third of a real text; below this share it is something else

# Letters with the vowel signs of Devanagari, which are no letters of their own.
_WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0900-\u0903\u093a-\u094f\u0962\u0963])*")
_SCRIPTS: Final = {
    "latin": re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ]"),
    "cyrillic": re.compile(r"[Ѐ-ӿ]"),
    "greek": re.compile(r"[Ͱ-Ͽἀ-῿]"),
    "arabic": re.compile(r"[؀-ۿݐ-ݿ]"),
    "devanagari": re.compile(r"[ऀ-ॿ]"),
    "armenian": re.compile(r"[԰-֏]"),
    "tamil": re.compile(r"[஀-௿]"),
    "other": re.compile(r"[֐-׿ঀ-௟ఀ-᷿⺀-퟿豈-﫿ｦ-ﾝ\U00020000-\U0003ffff]"),
}
_ONLY: Final = {"greek": "greek", "armenian": "armenian", "tamil": "tamil"}

_SMALL_WORDS: Final = {
    "latin": {
        "english": "the of and to in is that it for was on are with as be at this have from or by not but what you",
        "german": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an wird",
        "french": "de la le et les des en un une du dans est que pour qui au par sur pas il ne se avec vous sont",
        "spanish": "de la que el en y a los se del las un por con no una su para es al lo como más o pero",
        "italian": "di e il la che in un a per è una sono del non con le della i si da al come dei nel gli",
        "portuguese": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas ao",
        "dutch": "de van een het en in is dat op te zijn met voor niet aan er om ook als dan maar bij uit je",
        "danish": "og i at det er en til på som med for af ikke der den har de jeg et var men om skal kan",
        "norwegian": "og i det er en til på som med for av ikke den har jeg et var men om vi skal kan fra ble",
        "swedish": "och i att det som en på är av för med till den har inte jag ett om var men ska kan från vi",
        "finnish": "ja on ei se että oli hän mutta ovat kun niin myös joka tai kuin sen ole mitä jos vain ne",
        "hungarian": "a az és hogy nem is egy meg van ez volt csak már de ha mint vagy még el kell lehet mert",
        "turkish": "ve bir bu da de için ile çok daha olarak gibi ne en olan var kadar sonra ama mi her veya",
        "romanian": "de și în a la cu că pe nu este o un din pentru mai care sau fi prin după dar sunt al ce",
        "catalan": "de la i el que a en les per un amb els una és del no al es dels més però com són o",
        "indonesian": "yang dan di ini itu dengan untuk tidak dari dalam akan pada juga saya ke karena ada anda atau bisa",
    },
    "cyrillic": {
        "russian": "и в не на что с по это как к но из у за то от так о для бы же вы все его только или мы если",
        "serbian": "и у је да се на за су са од не као који би то или али што из до због може ће све",
        # No configuration of their own; known so that they are not taken for Russian.
        "simple:ukrainian": "і в не на що з та до як це за по від у є але для про ми ви його або якщо чи був",
        "simple:bulgarian": "и на за да се от в с е не по са че към ще като но или това при което този има",
    },
    "arabic": {
        "arabic": "في من على إلى أن ما هذا لا التي عن مع كان الذي هو ذلك بعد كل قبل أو هذه",
        "simple:persian": "و در به از که این را با است برای آن یک خود تا کرد بر هم نیز می شود",
        "simple:urdu": "کے کی میں ہے کا سے کو نے پر اور کہ یہ ہیں بھی نہیں اس ایک تھا",
    },
    "devanagari": {
        "hindi": "के में की है और से को का यह पर एक ने हैं भी कि नहीं इस तो हो था",
        "nepali": "र को मा छ यो पनि ले लाई हो भने छन् गर्न तथा गर्ने एक भएको हुन् तर",
    },
}
_SETS: Final = {
    script: {name: frozenset(words.split()) for name, words in languages.items()}
    for script, languages in _SMALL_WORDS.items()
}


def of(text: str) -> str:
    """The name of a text search configuration that every PostgreSQL since 16 has."""
    sample = text[:_SAMPLE]
    letters = {script: len(pattern.findall(sample)) for script, pattern in _SCRIPTS.items()}
    script, most = max(letters.items(), key=lambda item: item[1])
    if most * 2 <= sum(letters.values()):
        return SIMPLE
    return _ONLY.get(script) or _by_small_words(sample, _SETS.get(script, {}))


def _by_small_words(sample: str, languages: dict[str, frozenset[str]]) -> str:
    counted = Counter(_WORD.findall(sample.lower()))
    if not languages or not counted:
        return SIMPLE
    share = {
        name: sum(counted[word] for word in small) / counted.total() for name, small in languages.items()
    }
    best = max(share, key=share.__getitem__)
    return best.split(":")[0] if share[best] >= _ENOUGH else SIMPLE
