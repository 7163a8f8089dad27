"""Addresses are compared in one form: Unicode-normalised and case-folded."""

import unicodedata


def normalised(address: str) -> str:
    """NFKC, then case folding (Unicode 15, section 3.13), then NFKC again, without space around it."""
    folded = unicodedata.normalize("NFKC", address.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)
