"""How soon `staffroom run` is ready: in a fresh data folder, and again in the same one."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, shown
from tests.product import STAFFROOM, free_port


def main() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="staffroom-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        home = Path(folder) / "home"
        first = ready(home)
        again = min(ready(home) for _ in range(3))
    return shown(
        [
            Figure("ready, first start in a fresh data folder", first, "s"),
            Figure("ready, second start", again, "s", 5),
        ]
    )


def ready(home: Path) -> float:
    """Seconds from the command to its line with the address."""
    environment = os.environ | {"STAFFROOM_HOME": str(home), "PORT": str(free_port())}
    began = time.monotonic()
    process = subprocess.Popen([STAFFROOM, "run"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert environment["PORT"] in line, f"did not start: {line!r}"
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


if __name__ == "__main__":
    main()
