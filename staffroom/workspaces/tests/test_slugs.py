"""What an organization's address may be."""

from __future__ import annotations

import pytest

from staffroom.core.ids import new_id
from staffroom.workspaces import organizations, slugs
from tests.cast import Cast


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.mark.parametrize("good", ["ab", "a1", "42", "acme", "a--b", "x" * 40, "north-by-north-west"])
def test_good_slugs(good: str) -> None:
    assert slugs.checked(good) == good


def test_it_is_kept_in_lower_case_and_without_space_around() -> None:
    assert slugs.checked("  ACME-North ") == "acme-north"


MALFORMED = {
    "letters": ["acme corp", "acme_corp", "acme.com", "акме", "ａｃｍｅ", "acmé", "a/b", "../etc", "a\0b", "%2e",
                "\u212aelvin", "acme\u200b", "\u202eemca", "acme\n\nx", "😀😀", "<b>", "٤٢", "ß" * 10_000],
    "hyphen": ["-acme", "acme-", "-", "--", "-" * 50],
    "at least 2": ["a", "7"],
    "at most 40": ["x" * 41, "x" * 10_000],
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "slug"), [(rule, slug) for rule, some in MALFORMED.items() for slug in some]
)
def test_malformed_ones_say_which_rule_broke(rule: str, slug: str) -> None:
    with pytest.raises(slugs.SlugMalformed) as refused:
        slugs.checked(slug)
    assert refused.value.code == "slug_malformed"
    assert rule in refused.value.errors["slug"][0].lower()


@pytest.mark.parametrize(
    "word",
    ["me", "o", "api", "accounts", "account", "chats", "billing", "billings", "invitations", "organizations",
     "organization", "static", "dev", "healthz", "employees", "Knowledge", "admin", "admins", "CONTEXTS",
     "v1", "live", "login", "signup"],
)  # fmt: skip
def test_words_of_the_program_and_their_plurals_are_reserved(word: str) -> None:
    if len(word) < slugs.SHORTEST:
        pytest.skip("too short to be one")
    with pytest.raises(slugs.SlugReserved) as refused:
        slugs.checked(word)
    assert refused.value.code == "slug_reserved"


def test_every_first_segment_of_the_program_is_reserved() -> None:
    from django.urls import get_resolver

    for pattern in get_resolver().url_patterns:
        first = str(pattern.pattern).partition("/")[0]
        if first.isalnum():
            assert {first, f"{first}s"} <= slugs.reserved(), first


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Zürich Söhne & Co.", "zurich-sohne-co"),
        ("Ёлки Палки", "elki-palki"),
        ("株式会社山田", "zhushihuisheshantian"),
        ("Alice's  Shop", "alices-shop"),
        ("— 77 —", "77"),
        ("x" * 80, "x" * 40),
        ("a" * 39 + " b", "a" * 39),
    ],
)
def test_a_name_becomes_a_slug(name: str, slug: str) -> None:
    assert slugs._from(name) == slug


@pytest.mark.parametrize("name", ["!!!", "…", "\u200b\u200b", ""])
def test_a_random_one_when_nothing_is_left(name: str) -> None:
    assert slugs.checked(slugs.suggested(name)).startswith("org-")
    assert slugs.suggested(name) != slugs.suggested(name)


def test_one_letter_and_reserved_words_get_a_suffix() -> None:
    assert slugs.suggested("Billing") == "billing-2"
    assert slugs.checked(slugs.suggested("Ж")) == slugs.suggested("Ж")


def test_taken_names_get_a_free_suffix_that_fits(cast: Cast) -> None:
    name = f"{cast.mark} {'long ' * 10}"
    first, second, third = (organizations.found(name, by=cast.alice).slug for _ in range(3))
    assert len({first, second, third}) == 3
    assert second.endswith("-2")
    assert third.endswith("-3")
    assert all(len(slug) <= 40 for slug in (first, second, third))


def test_after_many_of_one_name_the_suffix_is_random(cast: Cast) -> None:
    name = f"popular {cast.mark}"
    made = [organizations.found(name, by=cast.alice).slug for _ in range(22)]
    assert len(set(made)) == 22
    assert all(slugs.checked(slug) == slug for slug in made)


def test_the_check_while_typing_says_taken(cast: Cast) -> None:
    with pytest.raises(slugs.SlugTaken) as refused:
        slugs.available(cast.acme.slug.upper())
    assert refused.value.code == "slug_taken"
    assert slugs.available(f"free-{cast.mark}") == f"free-{cast.mark}"


def test_a_claim_needs_a_workspace_at_the_end_of_the_sentence(cast: Cast) -> None:
    from django.db import IntegrityError

    with pytest.raises(IntegrityError):
        slugs.claim(f"orphan-{cast.mark}", new_id())
    assert slugs.available(f"orphan-{cast.mark}")
