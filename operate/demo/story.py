"""Who works in the example, what they know, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME: Final = "Lindgren Bicycles"
SLUG: Final = "lindgren"
WORDS: Final = 100_000  # a bonus, so that there is room to play


@dataclass(frozen=True)
class Person:
    email: str
    name: str
    role: str


@dataclass(frozen=True)
class Employee:
    name: str
    template: str
    greeting: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Chat:
    """Customer's lines as text; a manager's as the e-mail address and the text."""

    employee: str
    customer: str
    lines: tuple[str | tuple[str, str], ...]


PEOPLE: Final = (
    Person("mara@demo.example", "Mara Lindgren", "owner"),
    Person("jonas@demo.example", "Jonas Weber", "admin"),
    Person("nadia@demo.example", "Nadia Petrova", "member"),
)

TEXTS: Final = {
    "Shop handbook": "handbook.md",
    "Returns and warranty": "returns.md",
    "Welcome to the team": "welcome.md",
}

EMPLOYEES: Final = (
    Employee(
        "Mira",
        "support",
        "Hello! I am Mira. Ask me about renting, repairs or returns.",
        ("Shop handbook", "Returns and warranty"),
    ),
    Employee(
        "Otto",
        "learning",
        "Hi, I am Otto. I help new colleagues to find their way.",
        ("Shop handbook", "Welcome to the team"),
    ),
)

CHATS: Final = (
    Chat(
        "Mira",
        "Émile Durand",
        (
            "Good morning! How much is an e-bike for a day, and do I have to leave a deposit?",
            "And if it comes back late in the evening?",
        ),
    ),
    Chat("Mira", "Ingrid Solberg", ("The jacket I ordered is too small. How do I exchange the size?",)),
    Chat(
        "Mira",
        "Tom Okafor",
        (
            "My battery is 20 months old and hardly charges any more. Is that covered by the warranty?",
            (
                "jonas@demo.example",
                "Hello Tom, Jonas from the workshop here. Bring it in today, I will measure it while you wait.",
            ),
        ),
    ),
    Chat("Otto", "Lena, new in the shop", ("What do I have to do when I close the shop in the evening?",)),
)


def text(file: str) -> str:
    return (Path(__file__).parent / file).read_text(encoding="utf-8")
