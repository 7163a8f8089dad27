"""What a tree of processes costs: processor time and memory, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    name: str
    seconds: float
    """Processor time of its own and of the children that it has buried."""

    @property
    def is_database(self) -> bool:
        return self.name.startswith("postgres")

    def memory(self) -> float:
        """Megabytes, pages shared with others counted in parts (PSS)."""
        try:
            lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def tree(*roots: int) -> list[Process]:
    """The processes and all that descend from them."""
    found = {process.pid: process for process in map(_read, _pids()) if process}
    inside: set[int] = set(roots)
    while more := {pid for pid, process in found.items() if process.parent in inside} - inside:
        inside |= more
    return [found[pid] for pid in inside if pid in found]


def seconds(*roots: int) -> float:
    """Processor time of the trees so far, the ended processes in them included."""
    return sum(process.seconds for process in tree(*roots))


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]


def _read(pid: int) -> Process | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    return Process(pid, int(fields[1]), name, sum(map(int, fields[11:15])) / TICK)
