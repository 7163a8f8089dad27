"""Measures what was promised: `python -m bench`, or `python -m bench chat ledger` for some of it.

With `--write` the table goes into bench/README.md. Ends with 1 when a limit is not kept.
"""

import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bench.figures import Figure, note, table

NAMES = ("start", "pages", "api", "organizations", "ledger", "chat", "readers", "export")
README = Path(__file__).with_name("README.md")


def main(arguments: list[str]) -> int:
    write = "--write" in arguments
    chosen = [argument for argument in arguments if not argument.startswith("-")] or list(NAMES)
    figures: dict[str, list[Figure]] = {}
    for name in chosen:
        if find_spec(f"bench.{name}"):
            note(f"— {name}")
            figures[name] = import_module(f"bench.{name}").main() or []
    if write:
        for name, measured in figures.items():
            keep(name, measured)
    return 0 if all(figure.kept for measured in figures.values() for figure in measured) else 1


def keep(name: str, figures: list[Figure]) -> None:
    """Puts the table between the marks of this name in the README."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = README.read_text()
    assert begin in text, f"bench/README.md has no place for {name}"
    filled = f"{begin}\n{table(figures)}\n{end}"
    README.write_text(re.sub(f"{begin}.*?{end}", lambda _: filled, text, flags=re.DOTALL))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
