"""Write the sample sessions; the bytes are the same every time.

    python data/samples/make_samples.py

clean/     sessions without a fault, one per day
drifting/  one context's hold times grow by half from the 15th session on, and its stability falls
faulty/    one fault per file, which the name of the file says
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
START = datetime(2026, 10, 1, 6, 0, 0, tzinfo=UTC)
CONTEXTS = ("kernel-cache", "upload-queue", "reduction")
CYCLES = 24
SHIFT_AT = 15


def stamp(at: datetime) -> str:
    """A timestamp of the specification."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record(rng: random.Random, at: datetime, *, slower: float = 1.0, unstable: float = 0.0) -> dict[str, Any]:
    """One anchor cycle."""
    number = rng.randrange(len(CONTEXTS))
    micros = int(rng.lognormvariate(7.0 + 0.3 * number, 0.25) * (slower if number == 1 else 1.0))
    failed = number == 1 and rng.random() < unstable
    return {
        "context": CONTEXTS[number],
        "seed": rng.getrandbits(64) or 1,
        "thread_id": f"1401542549{number}7072",
        "acquired_at": stamp(at),
        "released_at": stamp(at + timedelta(microseconds=micros)),
        "duration_ms": micros / 1000,
        "stability_score": 0.0 if failed else 1.0,
    }


def session(rng: random.Random, start: datetime, **change: float) -> dict[str, Any]:
    """One session of cycles that follow each other."""
    records = [record(rng, start + timedelta(milliseconds=40 * n), **change) for n in range(CYCLES)]
    return {"stability_score": mean(records), "records": records}


def mean(records: list[dict[str, Any]]) -> float:
    """The declared mean stability."""
    scores: list[float] = [one["stability_score"] for one in records]
    return sum(scores) / len(scores)


def faulty(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """One fault a file."""

    def changed(name: str, **fields: Any) -> tuple[str, bytes]:
        document = session(rng, START)
        document["records"][3].update(fields)
        if fields.get("stability_score") == 0.0:
            document["stability_score"] = mean(document["records"])
        return name, encoded(document)

    whole = encoded(session(rng, START))
    yield "cut", whole[: len(whole) // 2]
    yield "empty", b""
    yield "not_json", whole.replace(b'"stability_score": 1.0', b'"stability_score": nan', 2)
    yield "not_a_session", b'{"image": "rocm/dev", "digest": "sha256:0"}\n'
    yield changed("zero_seed", seed=0)
    yield changed("seed_beyond_64_bits", seed=2**64)
    yield changed("score_out_of_range", stability_score=1.5)
    yield changed("score_as_text", stability_score="1.0")
    yield changed("negative_duration", duration_ms=-0.25)
    yield changed("unset_release", released_at="")
    yield changed("impossible_date", acquired_at="2026-02-30T06:00:00Z")
    yield changed("local_time", acquired_at="2026-10-01T08:00:00.120000+02:00")
    yield changed("in_flight", released_at=None, duration_ms=0.0, stability_score=0.0)
    yield changed("unknown_field", node_id="rack-7/gpu-2")
    repeated = session(rng, START)
    repeated["records"][5]["seed"] = repeated["records"][4]["seed"]
    yield "seed_reused", encoded(repeated)
    other_mean = session(rng, START)
    other_mean["stability_score"] = 0.5
    yield "wrong_mean", encoded(other_mean)


def encoded(document: dict[str, Any]) -> bytes:
    """A session file's bytes."""
    return (json.dumps(document) + "\n").encode()


def main() -> None:
    """Write the three folders."""
    rng = random.Random(20261001)
    files: dict[str, bytes] = {}
    for day in range(10):
        start = START + timedelta(days=day)
        files[f"clean/clamp_run_{start:%Y%m%dT%H%M%SZ}.json"] = encoded(session(rng, start))
    for number in range(30):
        start = START + timedelta(hours=12 * number)
        change = {"slower": 1.5, "unstable": 0.25} if number >= SHIFT_AT else {}
        files[f"drifting/clamp_run_{start:%Y%m%dT%H%M%SZ}.json"] = encoded(session(rng, start, **change))
    files |= {f"faulty/{name}.json": data for name, data in faulty(rng)}
    for folder in ("clean", "drifting", "faulty"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    for name, data in files.items():
        (HERE / name).write_bytes(data)
    print(f"wrote {len(files)} sessions below {HERE}")


if __name__ == "__main__":
    main()
