"""Histories of sessions for the commands that judge metrics."""

import random
from pathlib import Path

from tests.conftest import Raw, record, session, write


def history(folder: Path, scales, *, context="queue", backends=("CPU",), seed=1, first=0) -> Path:
    """A session a day with twelve anchors of each backend, whose durations are about ``scales[day]`` milliseconds.

    A second backend takes twice as long.
    """
    rng = random.Random(seed)
    files = {}
    for day, scale in enumerate(scales, first):
        rows = [
            record(
                context=context,
                seed=rng.getrandbits(64),
                backend=backend,
                acquired_at=moment(day, second),
                released_at=moment(day, second),
                duration_ms=Raw(f"{rng.lognormvariate(0, 0.2) * scale * factor:.3f}"),
            )
            for second in range(12)
            for factor, backend in enumerate(backends, 1)
        ]
        files[f"run-{day:03}.json"] = session(*rows)
    return write(folder, files)


def moment(day: int, second: int) -> str:
    """A second of a day from 2026-01-01 on; every month has 28 days here."""
    return f"2026-{1 + day // 28:02}-{1 + day % 28:02}T06:00:{second:02}Z"
