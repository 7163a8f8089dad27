from __future__ import annotations

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.accounts import people
from staffroom.api import health
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import keys, queries
from tests.cast import PASSWORD, Cast


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def test_the_process_is_alive_without_asking_the_database(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as statements:
        assert cast.browser(cast.alice).get("/healthz").json() == {"status": "ok"}
    assert not [one for one in statements if "door_by_session" in one["sql"]]


def test_ready_means_database_and_queue() -> None:
    assert Client().get("/readyz").json() == {"status": "ok", "database": "ok", "queue": "ok"}


def test_a_database_that_does_not_answer_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def __enter__(self) -> None:
            raise DatabaseError

        def __exit__(self, *raised: object) -> None: ...

    monkeypatch.setattr(health.connection, "cursor", Gone)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")


def test_metrics_are_for_this_machine_and_for_operators(cast: Cast) -> None:
    assert Client().get("/metrics").status_code == 200
    far = {"REMOTE_ADDR": "203.0.113.9"}
    assert Client(**far).get("/metrics").status_code == 404
    assert Client(headers={"X-Forwarded-For": "203.0.113.9"}).get("/metrics").status_code == 404
    assert _with_key(cast.key(cast.alice)).get("/metrics").status_code == 404
    operator = people.add(f"op-{cast.mark}@example.com", name="Op", password=PASSWORD, operator=True)
    with workspace_scope(queries.contexts(operator.id)[0].id):
        key = keys.issue(by="system", user=operator)
    assert _with_key(key).get("/metrics").status_code == 200


def _with_key(key: str) -> Client:
    return Client(
        REMOTE_ADDR="203.0.113.9", headers={"Authorization": f"Bearer {key}"}, raise_request_exception=False
    )


def test_metrics_are_text_that_prometheus_reads_and_name_no_tenant(cast: Cast) -> None:
    cast.browser(cast.alice).get("/api/v1/contexts")
    answer = Client().get("/metrics")
    lines = answer.content.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(values["staffroom_database_up"]) == 1
    assert any(name.startswith('staffroom_answers_total{pid="') for name in values)
    assert all(float(value) >= 0 for value in values.values())
    assert cast.mark not in answer.content.decode()
