"""What a bench gives back: figures with their limits, and the table they make."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; without a limit it only informs."""

    name: str
    measured: float
    unit: str = ""
    limit: float | None = None
    at_least: bool = False

    @property
    def kept(self) -> bool:
        if self.limit is None:
            return True
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def row(self) -> str:
        limit = (
            "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {_number(self.limit)} {self.unit}"
        )
        return f"| {self.name} | {_number(self.measured)} {self.unit} | {limit.strip()} | {'' if self.kept else '✗'} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"


def table(figures: list[Figure]) -> str:
    return "\n".join(
        ["| figure | measured | limit | |", "|---|---|---|---|", *[each.row() for each in figures]]
    )


def shown(figures: list[Figure]) -> list[Figure]:
    """Prints the table, and gives the figures on."""
    print(table(figures))
    return figures


def note(sentence: str) -> None:
    """What is going on, beside the table."""
    print(sentence, file=sys.stderr, flush=True)


def median(values: list[float]) -> float:
    return percentile(values, 50)


def percentile(values: list[float], part: float) -> float:
    """The smallest value that so many per cent do not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part / 100))] if ordered else float("nan")
