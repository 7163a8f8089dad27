"""One key, one write, one answer."""

import threading
from uuid import uuid4

import pytest
from django.db import connection, transaction

from staffroom.core.idempotency import Answer, Asked, KeyUsedOtherwise, first_answer, keep


def _asked(key: str, request: bytes = b"a request", actor: str = "user 1") -> Asked:
    return Asked(actor=actor, place="", key=key, request=request)


def _do(asked: Asked, body: bytes = b"{}") -> Answer | None:
    with transaction.atomic():
        if (first := first_answer(asked)) is None:
            keep(asked, Answer(201, body))
        return first


def test_the_second_gets_the_first_ones_answer() -> None:
    asked = _asked(str(uuid4()))
    assert _do(asked, b'{"id": 1}') is None
    assert _do(asked, b'{"id": 2}') == Answer(201, b'{"id": 1}')


def test_another_request_with_the_same_key_is_refused() -> None:
    key = str(uuid4())
    _do(_asked(key))
    with pytest.raises(KeyUsedOtherwise):
        _do(_asked(key, b"another"))


def test_another_actor_or_place_has_keys_of_its_own() -> None:
    key = str(uuid4())
    _do(_asked(key))
    assert _do(_asked(key, actor="user 2")) is None


def test_what_failed_may_be_tried_again() -> None:
    asked = _asked(str(uuid4()))
    with transaction.atomic():
        first_answer(asked)
        transaction.set_rollback(True)
    assert _do(asked) is None


def test_two_at_once_are_one_write() -> None:
    asked, seen = _asked(str(uuid4())), []

    def second() -> None:
        try:
            seen.append(_do(asked, b"second"))
        finally:
            connection.close()

    with transaction.atomic():
        assert first_answer(asked) is None
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive(), "the second waits for the first"
        keep(asked, Answer(201, b"first"))
    waiting.join(5)
    assert seen == [Answer(201, b"first")]


def test_after_a_day_the_key_is_free_again_and_the_row_is_swept() -> None:
    from tests.owner import as_owner

    old, new = _asked(str(uuid4())), _asked(str(uuid4()))
    _do(old)
    as_owner("UPDATE core_answer SET made_at = now() - interval '25 hours' WHERE id = %s", old.id)
    _do(new)
    assert as_owner("SELECT count(*) FROM core_answer WHERE id = %s", old.id) == [(0,)]
    assert _do(old) is None


def test_the_table_is_shut_and_its_bodies_cannot_be_read() -> None:
    from tests.owner import as_owner

    asked = _asked(str(uuid4()))
    _do(asked, b"a secret link")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_answer")
        assert cursor.fetchone() == (0,)
    [(body,)] = as_owner("SELECT body FROM core_answer WHERE id = %s", asked.id)
    assert b"secret" not in bytes(body)
