"""What is sealed opens with the key of the day, and with those that were."""

import pytest
from django.test import override_settings

from staffroom.core.crypto import SealBroken, seal, unseal


def test_what_was_sealed_opens_again_and_never_looks_the_same() -> None:
    assert unseal(seal("JBSWY3DPEHPK3PXP")) == "JBSWY3DPEHPK3PXP"
    assert unseal(seal("пароль 👩‍🚀")) == "пароль 👩‍🚀"
    assert seal("the same") != seal("the same")
    assert "secret" not in seal("secret")


def test_a_former_key_still_opens_and_no_longer_seals() -> None:
    with override_settings(SECRET_KEY="former"):
        old = seal("kept")
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", "former"]):
        assert unseal(old) == "kept"
        young = seal("kept")
    with override_settings(SECRET_KEY="former"), pytest.raises(SealBroken):
        unseal(young)


@pytest.mark.parametrize("broken", ["", "nonsense", "gAAAAABnonsense"])
def test_what_no_key_opens_says_what_the_operator_can_do(broken: str) -> None:
    with pytest.raises(SealBroken, match="STAFFROOM_OLD_SECRET_KEYS"):
        unseal(broken)


def test_a_changed_letter_is_noticed() -> None:
    sealed = seal("kept")
    with pytest.raises(SealBroken):
        unseal(sealed[:-10] + ("A" if sealed[-10] != "A" else "B") + sealed[-9:])
