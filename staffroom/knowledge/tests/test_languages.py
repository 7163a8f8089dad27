from __future__ import annotations

import pytest
from django.db import connection

from staffroom.knowledge import languages

from . import texts

SAID = [
    (texts.HANDBOOK, "english"),
    (texts.RUSSIAN, "russian"),
    (texts.CHINESE, "simple"),
    ("Der Laden ist von Dienstag bis Samstag geöffnet und an Feiertagen bleibt er zu.", "german"),
    ("Le magasin est ouvert du mardi au samedi, de dix heures à dix-neuf heures.", "french"),
    ("La tienda abre de martes a sábado, pero no los días festivos y en agosto cierra.", "spanish"),
    ("A loja abre de terça a sábado, mas não nos feriados e fecha em agosto.", "portuguese"),
    ("Il negozio è aperto dal martedì al sabato e non nei giorni di festa.", "italian"),
    ("De winkel is open van dinsdag tot zaterdag en niet op feestdagen.", "dutch"),
    ("Mağaza salıdan cumartesiye kadar açık ve bayramlarda kapalı, ama çok yakında.", "turkish"),
    ("Магазин працює з вівторка по суботу, але не у свята, якщо це не вказано.", "simple"),
    ("Το κατάστημα είναι ανοιχτό από Τρίτη έως Σάββατο.", "greek"),
    ("المتجر مفتوح من الثلاثاء إلى السبت في كل أسبوع ما عدا العطلات", "arabic"),
    ("فروشگاه از سه شنبه تا شنبه باز است و در تعطیلات بسته است", "simple"),
    ("दुकान मंगलवार से शनिवार तक खुली है और छुट्टियों में बंद रहती है", "hindi"),
    ("החנות פתוחה מיום שלישי עד שבת", "simple"),
    ("12 34 56 !?", "simple"),
    ("", "simple"),
    ("SKU-7781 XJ9 QQR", "simple"),
]


@pytest.mark.parametrize(("text", "language"), SAID)
def test_the_language_is_known_or_said_to_be_unknown(text: str, language: str) -> None:
    assert languages.of(text) == language


def test_every_answer_is_a_configuration_of_the_database() -> None:
    named = {language.split(":")[0] for sets in languages._SETS.values() for language in sets}
    with connection.cursor() as cursor:
        cursor.execute("SELECT cfgname FROM pg_ts_config")
        assert named | set(languages._ONLY.values()) <= {name for (name,) in cursor.fetchall()}
