"""What accounting keeps of a workspace that is erased: purchases as records without content."""

from __future__ import annotations

from typing import Any

from staffroom.core.sentences import part

from .models import PURCHASED, Lot


@part
def purchases() -> list[dict[str, Any]]:
    """Of the open workspace, the oldest first. `amount` is null where the ledger alone knows of it."""
    return [
        {
            "date": lot.created_at.isoformat(),
            "words": lot.words,
            "reversed": lot.reversed,
            "reference": lot.reference,
            "amount": None,
        }
        for lot in Lot.objects.filter(source=PURCHASED).order_by("created_at", "id")
    ]
