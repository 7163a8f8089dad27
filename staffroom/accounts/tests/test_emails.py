"""One form for every way to write an address."""

from __future__ import annotations

import pytest

from staffroom.accounts.emails import normalised


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("Ann@Example.COM ", "ann@example.com"),
        ("name@пример.рф", "name@пример.рф"),
        ("name@ПРИМЕР.РФ", "name@пример.рф"),
        ("name@xn--e1afmkfd.xn--p1ai", "name@пример.рф"),
        ("name@XN--E1AFMKFD.xn--p1ai", "name@пример.рф"),
        ("name@bu\u0308cher.example", "name@bücher.example"),
        ("name@xn--bcher-kva.example", "name@bücher.example"),
        ("name@straße.example", "name@strasse.example"),
        ("name@example\u3002com", "name@example.com"),
        ("ｎａｍｅ＠ｅｘａｍｐｌｅ．ｃｏｍ", "name@example.com"),
        ("xn--name@example.com", "xn--name@example.com"),
        ("name@xn--", "name@xn--"),
        ("name@xn--\udcff", "name@xn--\udcff"),
        ("nobody", "nobody"),
        ("", ""),
    ],
)  # fmt: skip
def test_normalised(written: str, form: str) -> None:
    assert normalised(written) == form
    assert normalised(form) == form
