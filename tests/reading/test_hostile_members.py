"""Small files that would take gigabytes: what reading takes is bounded by the size of what is decompressed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import GOOD, write
from tests.fork_server import ForkServer
from tests.reading.hostile_members import KINDS
from tests.sources.container_builders import compressed

SIZE = 400_000
LONG = 10_000_000

MEASURE = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000, 1_000_000_000))
from clamp_analytics.reading import load
from clamp_analytics.sources import ContainerLimits
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
load(sys.argv[1], jobs=1)
before = peak()
telemetry = load(sys.argv[2], jobs=1, limits=ContainerLimits(max_ratio=10_000))
print(json.dumps([telemetry.counts.seen, telemetry.violations.height, peak() - before]))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_member_takes_no_more_than_eight_times_its_size(tmp_path: Path, forks: ForkServer, kind: str) -> None:
    data = KINDS[kind](LONG if kind.startswith("a long") else SIZE)
    small = write(tmp_path / "small", {"a.json.gz": compressed("gz", GOOD)})
    hostile = write(tmp_path, {"x.json.gz": compressed("gz", data)}) / "x.json.gz"

    done = forks.run(MEASURE, str(small), str(hostile))

    assert done.err == ""
    seen, violations, grown = json.loads(done.out)
    assert seen == 1
    assert 0 < violations < 10_000
    assert grown < 8 * len(data) + 200_000_000


def test_the_violations_of_very_many_empty_records_are_counted_exactly(tmp_path: Path, forks: ForkServer) -> None:
    data = b'{"stability_score":1,"records":[' + b",".join([b"{}"] * 20_000) + b"]}"
    path = write(tmp_path, {"x.json.gz": compressed("gz", data)}) / "x.json.gz"
    code = """
import sys
from clamp_analytics.reading import load
found = load(sys.argv[1], jobs=1)
print(found.records.height, found.violations.height, found.violations["count"].sum())
"""

    done = forks.run(code, str(path))

    assert done.out.split() == ["20000", "1001", "140000"]
