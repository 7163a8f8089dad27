"""Is the process alive, can it serve, and what does it do: for supervisors, load balancers and Prometheus."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

import msgspec
from django.db import DatabaseError, connection, connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from staffroom.core import counters
from staffroom.core.errors import NotHere
from staffroom.workspaces.doors import public

_JOBS = (
    "SELECT status::text, count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') GROUP BY status"
)
_WORKERS = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '1 minute'"
_ALIVE = b'{"status":"ok"}'
_PROXY = ("X-Forwarded-For", "X-Real-Ip", "Forwarded")


@public
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return HttpResponse(_ALIVE, content_type="application/json")


@public
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers and its queue is there. 503 tells a load balancer to wait."""
    found = {"database": _answers("SELECT 1"), "queue": _answers("SELECT 1 FROM procrastinate_jobs LIMIT 1")}
    ready = all(found.values())
    body = {"status": "ok" if ready else "unavailable"} | {
        name: "ok" if it else "unavailable" for name, it in found.items()
    }
    return HttpResponse(
        msgspec.json.encode(body), status=200 if ready else 503, content_type="application/json"
    )


@public
@require_safe
def metrics(request: Any) -> HttpResponse:
    """From the machine itself, or with an operator's key; for everybody else there is nothing here."""
    by_operator = request.user.is_staff and request.key_only is None
    if not (_from_this_machine(request) or by_operator):
        raise NotHere
    return HttpResponse("".join(_lines()), content_type="text/plain; version=0.0.4; charset=utf-8")


def _answers(sql: str) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return True
    except DatabaseError:
        connection.close()
        return False


def _from_this_machine(request: HttpRequest) -> bool:
    """A proxy on this machine speaks for others, so what it passed on does not count."""
    if any(name in request.headers for name in _PROXY):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR") or "").is_loopback
    except ValueError:
        return False


def _lines() -> Iterator[str]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    process = {"pid": str(os.getpid())}
    yield from _metric("process_cpu_seconds_total", "counter", [(process, usage.ru_utime + usage.ru_stime)])
    yield from _metric("process_resident_memory_bytes", "gauge", [(process, _resident())])
    yield from _metric("process_start_time_seconds", "gauge", [(process, counters.started_at)])
    answered = [(process | {"status": status}, count) for status, count in sorted(counters.answers.items())]
    yield from _metric("staffroom_answers_total", "counter", answered)
    yield from _pool(process)
    yield from _queue()


def _pool(process: dict[str, str]) -> Iterator[str]:
    pool = connections["default"].pool  # type: ignore[attr-defined]
    stats = pool.get_stats() if pool else {}
    for name in ("pool_size", "pool_available", "requests_waiting"):
        yield from _metric(f"staffroom_database_{name}", "gauge", [(process, stats.get(name, 0))])


def _queue() -> Iterator[str]:
    try:
        jobs, workers = dict(_rows(_JOBS)), _rows(_WORKERS)[0][0]
    except DatabaseError:
        connection.close()
        yield from _metric("staffroom_database_up", "gauge", [({}, 0)])
        return
    yield from _metric("staffroom_database_up", "gauge", [({}, 1)])
    yield from _metric(
        "staffroom_jobs", "gauge", [({"status": status}, jobs.get(status, 0)) for status in ("todo", "doing")]
    )
    yield from _metric("staffroom_workers", "gauge", [({}, workers)])


def _rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _metric(name: str, kind: str, samples: Iterable[tuple[dict[str, str], float]]) -> Iterator[str]:
    yield f"# TYPE {name} {kind}\n"
    for labels, value in samples:
        shown = ",".join(f'{label}="{said}"' for label, said in labels.items())
        yield f"{name}{{{shown}}} {value}\n" if shown else f"{name} {value}\n"


def _resident() -> int:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
