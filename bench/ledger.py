"""Reserve + settle as a ratio to pgbench's TPC-B-like, measured beside it in the same run, fsync on.

    python -m bench.ledger [--seconds 5] [--rounds 3]

Each pair is two transactions of one round trip each, as the application's role, behind row-level security: the
workspace is set, a turn of 800 words is held; the workspace is set again, 650 of them are charged. A charge always
waits for the disk. A reservation need not: what is lost with it is a promise, and on a hot wallet the next one waits
for the lock meanwhile; both ways are measured.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure, median, note, shown
from operate.binaries import program
from operate.postgres import Cluster, Urls

CLIENTS = 8
SCALE = 10  # TPC-B's branches: more than clients, or they wait for one another
WALLETS = 1000
GROUP = 50

WORKSPACE = "('00000000-0000-7000-8000-' || lpad(to_hex({}), 12, '0'))"
TURN = (
    "(lpad(to_hex(:run::bigint * 1000 + :client_id::bigint), 8, '0')"
    " || '-0000-7000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid"
)
INSIDE = f"FROM set_config('app.workspace_id', {WORKSPACE.format(':wallet::bigint')}, true)"
RESERVE = f"SELECT ledger_reserve({TURN}, 800, '1 hour') {INSIDE};"
SETTLE = (
    f"SELECT ledger_settle({TURN}, 650, "
    f"""'{{"sent": 450, "written": 200, "rate": 1, "model": "gpt-5-mini"}}') {INSIDE};"""
)
PAIR = f"\\set n :n + 1\n{RESERVE}\n{SETTLE}\n"
HASTY = PAIR.replace(", true);", ", true), set_config('synchronous_commit', 'off', true) hasty;", 1)

SCRIPTS = {
    "1,000 wallets": f"\\set wallet random(1, {WALLETS})\n{PAIR}",
    "one hot wallet": f"\\set wallet 1\n{HASTY}",
    "one hot wallet, reservations wait for the disk too": f"\\set wallet 1\n{PAIR}",
    f"one hot wallet, {GROUP} pairs in a transaction": (
        f"\\set wallet 1\n\\startpipeline\nBEGIN;\n{PAIR * GROUP}COMMIT;\n\\endpipeline\n"
    ),
}
LEAST = dict(zip(SCRIPTS, (0.4, 0.2, None, 1.0), strict=True))

# Written as the owner: a thousand organizations of one person, each with words to spend.
FOUND = f"""
BEGIN;
INSERT INTO accounts_user (id, password, email, name, avatar, language, theme, is_active, is_staff, is_superuser, created_at)
    VALUES ('00000000-0000-7000-8000-000000000000', '', 'bench@example.com', 'Bench', '', 'en', 'system', true, false,
            false, now());
INSERT INTO workspaces_workspace (id, kind, slug, name, owner_id, avatar, created_at)
    SELECT {WORKSPACE.format("n")}::uuid, 'organization', 'bench-' || n, 'Bench', u.id, '', now()
    FROM accounts_user u, generate_series(1, {WALLETS}) n;
INSERT INTO workspaces_membership (id, workspace_id, user_id, role, status, joined_at, last_used_at, created_at)
    SELECT gen_random_uuid(), id, owner_id, 'admin', 'active', now(), now(), now() FROM workspaces_workspace;
DO $$ BEGIN FOR n IN 1..{WALLETS} LOOP
    PERFORM set_config('app.workspace_id', {WORKSPACE.format("n")}, true);
    PERFORM ledger_begin('free', 20000);
    PERFORM ledger_grant('purchased', 'bench', 1000000000000, NULL, 'bench');
END LOOP; END $$;
COMMIT;
VACUUM ANALYZE billing_wallet, billing_lot, billing_entry, billing_hold;
"""


def main() -> list[Figure]:
    given = _given()
    return shown(figures(given.seconds, given.rounds))


def figures(seconds: int, rounds: int) -> list[Figure]:
    """Every round measures TPC-B and each script once, in turn; the median of the rounds' ratios counts."""
    with tempfile.TemporaryDirectory(prefix="staffroom-bench-") as folder:
        os.chmod(folder, 0o755)
        with Cluster(Path(folder) / "db", durable=True) as cluster:
            urls = _prepare(cluster, folder)
            speeds: dict[str, list[float]] = {name: [] for name in SCRIPTS}
            ratios: dict[str, list[float]] = {name: [] for name in SCRIPTS}
            for turn in range(rounds):
                yardstick = _pgbench(cluster.urls("tpcb").superuser, seconds, ["-b", "tpcb-like"])
                note(f"TPC-B-like: {yardstick:.0f} a second")
                for number, (name, script) in enumerate(SCRIPTS.items()):
                    file = Path(folder) / "script.sql"
                    file.write_text(script)
                    speed = _pgbench(urls.app, seconds, ["-f", str(file), "-D", f"run={turn * 10 + number}"])
                    speed *= GROUP if "pairs in" in name else 1
                    speeds[name].append(speed)
                    ratios[name].append(speed / yardstick)
            _differences(urls)
    found = []
    for name in SCRIPTS:
        found += [
            Figure(f"{name}: pairs a second", median(speeds[name])),
            Figure(f"{name}: TPC-B-like beside it = 1", median(ratios[name]), "", LEAST[name], at_least=True),
        ]
    return found


def _prepare(cluster: Cluster, home: str) -> Urls:
    urls = cluster.database("bench")
    subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "django",
            "migrate",
            "--database",
            "owner",
            "--verbosity",
            "0",
        ],
        env=os.environ
        | urls.environment()
        | {"DJANGO_SETTINGS_MODULE": "config.settings", "STAFFROOM_HOME": home},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    _psql(urls.owner, FOUND)
    cluster.database("tpcb")
    subprocess.run(
        [program("pgbench"), "-i", "-q", "-s", str(SCALE), cluster.urls("tpcb").superuser],
        check=True,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return urls


def _psql(url: str, script: str) -> str:
    command = [program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def _pgbench(url: str, seconds: int, what: list[str]) -> float:
    """Transactions a second, connections not counted. A vacuum first: every run starts from a tidy table."""
    command = [program("pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1", "-T", str(seconds)]
    done = subprocess.run([*command, "-D", "n=0", *what, url], capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not found or "failed transactions: 0 " not in done.stdout:
        raise RuntimeError(f"pgbench: {done.stdout}{done.stderr}")
    return float(found[1])


def _differences(urls: Urls) -> None:
    if found := _psql(urls.owner, "SELECT * FROM ledger_differences LIMIT 5;"):
        raise RuntimeError(f"the ledger does not add up: {found}")


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_known_args()[0]


if __name__ == "__main__":
    main()
