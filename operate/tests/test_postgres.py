"""The embedded database, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from operate import binaries, processes, remains, roles, sql
from operate.folder import COMMAND
from operate.postgres import Cluster
from operate.refusals import DATABASE, TAKEN, Refusal
from operate.tests.ordinary import AS_NOBODY, NOBODY, nobodys, only_root, reachable


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """In a folder that the database's user can reach; pytest's own are closed to others."""
    with Cluster(reachable(tmp_path_factory.mktemp("postgres")) / "db", durable=False) as running:
        running.database("staffroom")
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return reachable(tmp_path) / "db"


def ask(url: str, *statements: str) -> list[list[str]]:
    return sql.run(url, statements)


class TestTheRoles:
    def test_the_application_owns_nothing_and_bypasses_nothing(self, cluster: Cluster) -> None:
        look = "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        urls = cluster.urls("staffroom")
        assert ask(urls.app, look) == [["f", "f", "f", "f"]]
        assert ask(urls.platform, look) == [["f", "t", "f", "f"]]
        assert ask(urls.owner, look) == [["f", "t", "f", "f"]]

    @pytest.mark.parametrize("role", ["app", "platform"])
    def test_rows_may_be_changed_but_no_tables(self, cluster: Cluster, role: str) -> None:
        urls = cluster.urls("staffroom")
        ask(urls.owner, f"CREATE TABLE things_{role} (id serial, name text)")
        url = getattr(urls, role)
        ask(url, f"INSERT INTO things_{role} (name) VALUES ('x')", f"UPDATE things_{role} SET name = 'y'")
        assert ask(url, f"DELETE FROM things_{role} RETURNING name") == [["y"]]
        refused = [
            f"DROP TABLE things_{role}",
            f"TRUNCATE things_{role}",
            "CREATE TABLE mine (id int)",
            "CREATE TEMPORARY TABLE mine (id int)",
            "CREATE SCHEMA mine",
        ]
        for statement in refused:
            with pytest.raises(sql.Failed, match=r"permission denied|must be owner"):
                ask(url, statement)

    def test_a_wrong_password_opens_nothing(self, cluster: Cluster) -> None:
        url = roles.url(roles.SUPERUSER, "guess", str(cluster.folder.socket), "postgres")
        with pytest.raises(sql.Failed, match="password authentication failed"):
            ask(url, "SELECT 1")

    def test_there_is_no_way_in_but_the_socket(self, cluster: Cluster) -> None:
        url = cluster.url(roles.SUPERUSER)
        assert ask(url, "SHOW listen_addresses") == [[""]]
        assert cluster.folder.socket.stat().st_mode & 0o077 == 0

    def test_text_sorts_and_folds_the_same_on_every_machine(self, cluster: Cluster) -> None:
        found = ask(
            cluster.urls("staffroom").app,
            "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding), lower('ÄÖЖ') "
            "FROM pg_database WHERE datname = current_database()",
        )
        assert found == [["b", "C.UTF-8", "UTF8", "äöж"]]

    def test_vectors_are_there(self, cluster: Cluster) -> None:
        assert ask(cluster.urls("staffroom").app, "SELECT '[1,2]'::vector <-> '[1,3]'::vector") == [["1"]]


class TestDatabases:
    def test_a_copy_has_tables_and_rights(self, cluster: Cluster) -> None:
        ask(cluster.database("original").owner, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (7)")
        copy = cluster.database("copy", template="original")
        ask(copy.owner, "CREATE TABLE later (id int)")
        assert ask(copy.app, "SELECT id FROM t", "SELECT count(*) FROM later") == [["7"], ["0"]]
        cluster.drop("copy")
        with pytest.raises(sql.Failed, match="does not exist"):
            ask(copy.app, "SELECT 1")

    @pytest.mark.parametrize("name", ["", "Upper", 'quo"te', "a b", "x" * 64, "1st"])
    def test_a_name_that_needs_quotes_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="no plain database name"):
            sql.name(name)

    @pytest.mark.parametrize("text", ["it's", "back\\slash", "';--", "ü\n"])
    def test_any_text_survives_as_a_literal(self, cluster: Cluster, text: str) -> None:
        assert (
            "\n".join(row[0] for row in ask(cluster.url("postgres"), f"SELECT {sql.literal(text)}")) == text
        )


class TestOneFolder:
    def test_a_second_start_says_so(self, cluster: Cluster) -> None:
        with pytest.raises(Refusal, match="already running") as refused:
            Cluster(cluster.folder.path).start()
        assert refused.value.code == TAKEN
        assert cluster.alive

    def test_a_command_that_holds_the_folder_is_waited_for(self, folder: Path) -> None:
        first = Cluster(folder, purpose=COMMAND)
        first.claim()
        second = Cluster(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("operate.folder.COMMAND_TAKES", 0.1)
            with pytest.raises(Refusal, match="command is busy"):
                second.claim()
        first.stop()
        second.claim()
        second.stop()

    @pytest.mark.parametrize(
        ("note", "text", "says"),
        [
            ("format", "99", "newer Staffroom"),
            ("data/PG_VERSION", "19\n", "newer PostgreSQL"),
            ("data/PG_VERSION", "16\n", "older PostgreSQL"),
        ],
    )
    def test_a_folder_of_another_version_is_left_alone(
        self, folder: Path, note: str, text: str, says: str
    ) -> None:
        (folder / note).parent.mkdir(parents=True, exist_ok=True)
        (folder / note).write_text(text)
        with pytest.raises(Refusal, match=says) as refused:
            Cluster(folder).start()
        assert refused.value.code == DATABASE

    def test_a_server_that_never_answers_is_given_up(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sleeper = folder.parent / "sleeper"
        sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
        sleeper.chmod(0o755)
        (folder / "data").mkdir(parents=True)
        monkeypatch.setattr("operate.postgres.program", lambda name: str(sleeper))
        with pytest.raises(Refusal, match="did not answer within"):
            Cluster(folder, patience=0.3).start()

    def test_a_long_path_gets_its_socket_elsewhere(self, folder: Path) -> None:
        far = folder.parent / ("long" * 25) / "db"
        far.parent.mkdir(mode=0o711)
        with Cluster(far, durable=False) as cluster:
            outside = cluster.folder.socket
            assert not outside.is_relative_to(far)
            assert ask(cluster.url("postgres"), "SELECT 1") == [["1"]]
        assert not outside.exists()

    def test_a_full_disk_is_named(self, tmp_path: Path) -> None:
        small = reachable(tmp_path) / "small"
        small.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(small)], capture_output=True
        )
        if mounted.returncode:
            pytest.skip("no right to mount a small disk here")
        try:
            with pytest.raises(Refusal, match="is full; free some space"):
                Cluster(small / "db").start()
        finally:
            subprocess.run(["umount", "-l", str(small)], check=True)


class TestSuddenEnds:
    """Nothing of these may need a person."""

    def test_a_killed_server_runs_again_with_everything(self, folder: Path) -> None:
        with Cluster(folder) as cluster:
            url = cluster.database("kept").owner
            ask(url, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
            kill(cluster)
            cluster.launch()
            assert ask(url, "SELECT id FROM t") == [["1"]]

    def test_a_note_about_somebody_elses_process_is_no_obstacle(self, folder: Path) -> None:
        """After a container starts anew the number in the note is often a living process: here, ourselves."""
        cluster = Cluster(folder)
        cluster.start()
        kill(cluster)
        note = folder / "data" / "postmaster.pid"
        note.write_text(note.read_text().replace(note.read_text().split()[0], str(os.getpid()), 1))
        (folder / "socket" / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
        cluster.launch()
        assert ask(cluster.url("postgres"), "SELECT 1") == [["1"]]
        cluster.stop()

    def test_the_server_ends_with_a_killed_parent(self, folder: Path) -> None:
        parent = start_in_another_process(folder)
        pids = processes.working_in(folder / "data")
        assert pids
        parent.kill()
        parent.wait()
        assert processes.wait_until(lambda: not processes.working_in(folder / "data"), 10)

    def test_a_frozen_server_without_parent_is_ended_by_the_next_start(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remains, "ENDINGS", ((signal.SIGQUIT, 0.2), (signal.SIGKILL, 5.0)))
        parent = start_in_another_process(folder)
        frozen = processes.working_in(folder / "data")
        processes.tell(frozen, signal.SIGSTOP)
        parent.kill()
        parent.wait()
        with Cluster(folder) as cluster:
            assert not set(frozen) & set(processes.working_in(folder / "data"))
            assert ask(cluster.url("postgres"), "SELECT 1") == [["1"]]

    def test_a_first_start_that_was_cut_off_begins_again(self, folder: Path) -> None:
        (folder / "data.new").mkdir(parents=True)
        (folder / "data.new" / "half").touch()
        with Cluster(folder, durable=False) as cluster:
            assert ask(cluster.url("postgres"), "SELECT 1") == [["1"]]

    def test_another_key_gives_other_passwords(self, folder: Path) -> None:
        with Cluster(folder, durable=False, secret="old") as cluster:
            old = cluster.database("kept").app
        with Cluster(folder, durable=False, secret="new") as cluster:
            assert ask(cluster.urls("kept").app, "SELECT 1") == [["1"]]
            with pytest.raises(sql.Failed, match="password authentication failed"):
                ask(old, "SELECT 1")


@only_root
class TestBelowRoot:
    def test_the_server_is_not_root(self, cluster: Cluster) -> None:
        assert cluster.process
        owner = Path(f"/proc/{cluster.process.pid}").stat().st_uid
        assert owner == cluster.folder.data.stat().st_uid != 0

    def test_it_may_only_pass_where_it_has_to(self, cluster: Cluster) -> None:
        """No capability at all where every folder on the way is open."""
        binary = Path(binaries.program("postgres"))
        closed = [
            part for part in [*binary.parents, *cluster.folder.data.parents] if not part.stat().st_mode & 1
        ]
        assert cluster.process
        assert closed or capabilities(cluster.process.pid) == 0

    def test_a_folder_below_a_closed_one_works(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        with Cluster(closed / "home" / "db", durable=False) as cluster:
            assert ask(cluster.url("postgres"), "SELECT 1") == [["1"]]
            assert cluster.process
            assert capabilities(cluster.process.pid) in {1 << 1, 1 << 2}
        assert closed.stat().st_mode & 0o777 == 0o700

    def test_an_ordinary_user_starts_it_too(self, tmp_path: Path) -> None:
        home = nobodys(reachable(tmp_path) / "ordinary")
        script = (
            "import sys; from pathlib import Path; from operate.postgres import Cluster; from operate import sql\n"
            "with Cluster(Path(sys.argv[1]), durable=False) as c: print(sql.run(c.url('postgres'), 'SELECT 7'))"
        )
        done = as_nobody([sys.executable, "-c", script, str(home / "db")])
        assert "[['7']]" in done.stdout, done.stderr
        assert (home / "db" / "data").stat().st_uid == NOBODY

    def test_an_ordinary_user_is_told_that_the_folder_is_closed(self, tmp_path: Path) -> None:
        home = reachable(tmp_path) / "roots"
        home.mkdir(mode=0o700)
        script = (
            "import sys; from pathlib import Path; from operate.postgres import Cluster\n"
            "from operate.refusals import Refusal\n"
            "try: Cluster(Path(sys.argv[1])).start()\n"
            "except Refusal as refusal: print(refusal)"
        )
        done = as_nobody([sys.executable, "-c", script, str(home / "db")])
        assert "cannot be read and written by user 65534" in done.stdout, done.stderr


def kill(cluster: Cluster) -> None:
    assert cluster.process
    cluster.process.kill()
    cluster.process.wait()


def capabilities(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("CapEff:")[1].split()[0], 16)


def start_in_another_process(folder: Path) -> subprocess.Popen[str]:
    script = (
        "import sys, time; from pathlib import Path; from operate.postgres import Cluster\n"
        "Cluster(Path(sys.argv[1])).start(); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def as_nobody(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*AS_NOBODY, *command], capture_output=True, text=True, cwd="/", timeout=60)
