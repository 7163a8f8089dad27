import os
import subprocess
import sys

from bench import processes
from bench.__main__ import NAMES, README
from bench.figures import Figure, percentile, table


def test_a_figure_knows_whether_its_limit_is_kept():
    assert Figure("a", 59.9, "ms", 60).kept
    assert not Figure("a", 60.1, "ms", 60).kept
    assert not Figure("a", 0.39, "", 0.4, at_least=True).kept
    assert not Figure("a", float("nan"), "ms", 60).kept
    assert Figure("a", 1e9).kept


def test_a_broken_limit_shows_in_the_table():
    assert table([Figure("memory", 500, "MB", 450)]).splitlines()[-1] == "| memory | 500 MB | ≤ 450 MB | ✗ |"


def test_percentiles_are_values_that_were_measured():
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 95), percentile(values, 100)) == (51, 96, 100)


def test_a_tree_of_processes_is_added_up_with_the_dead_in_it():
    burn = "import os\nif os.fork() == 0: sum(range(10**7)); os._exit(0)\nos.wait(); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert process.pid in [each.pid for each in processes.tree(os.getpid())]
        assert processes.seconds(process.pid) >= 0.05
        assert processes.tree(process.pid)[0].memory() > 1
        process.communicate(b"\n")


def test_every_figure_has_its_place_in_the_readme():
    for name in NAMES:
        assert f"<!-- {name} -->" in README.read_text()
