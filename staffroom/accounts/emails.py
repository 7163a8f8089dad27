"""Addresses are compared in one form: Unicode-normalised and case-folded, the domain in its own letters."""

import unicodedata


def normalised(address: str) -> str:
    """NFKC, then case folding (Unicode 15, section 3.13), then NFKC again, without space around it."""
    folded = unicodedata.normalize("NFKC", address.strip()).casefold()
    local, at, domain = unicodedata.normalize("NFKC", folded).rpartition("@")
    return f"{local}{at}{_in_letters(domain)}"


def _in_letters(domain: str) -> str:
    """`xn--e1afmkfd.xn--p1ai` is `пример.рф`, and the ideographic full stop is a dot (RFC 3490, section 3.1)."""
    domain = domain.replace("\u3002", ".")
    if "xn--" not in domain:
        return domain
    try:
        return domain.encode("ascii").decode("idna").casefold()
    except UnicodeError:
        return domain
