"""What this process has done since it began; read by /metrics."""

from __future__ import annotations

import time
from collections import Counter

started_at = time.time()
answers: Counter[str] = Counter()  # by class of status: "2xx"


def count_answer(status: int) -> None:
    answers[f"{status // 100}xx"] += 1
