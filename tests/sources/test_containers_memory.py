"""Bombs, and what reading takes of memory however much a container holds; each in a process of its own."""

from __future__ import annotations

import json
import random
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import GOOD, producer_session, write
from tests.fork_server import ForkServer
from tests.sources.container_builders import central, compressed, directory_end, local

ZEROS = 16 << 20
MEASURE = """
import json, sys
from clamp_analytics.reading import load
def peak():
    # Of this process alone: what is inherited at its start does not count.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
load(sys.argv[1], jobs=1)
before = peak()
telemetry = load(sys.argv[2], jobs=1)
rules = telemetry.violations["rule"].to_list()
print(json.dumps([telemetry.counts.loaded, rules, peak() - before]))
"""


def measured(forks: ForkServer, tmp_path: Path, container: Path) -> tuple[int, list[str], int]:
    """Sessions that were loaded, rules that were broken, and bytes of memory that it took."""
    small = write(tmp_path / "small", {"a.json": GOOD, "b.json.zst": compressed("zst", GOOD)})
    done = forks.run(MEASURE, str(small), str(container))
    assert done.err == ""
    loaded, rules, grown = json.loads(done.out)
    return loaded, rules, grown


def zeros_deflated(count: int) -> Iterator[bytes]:
    """Raw deflate of ``count`` times 16 MiB of zeros, compressed once."""
    engine = zlib.compressobj(9, wbits=-15)
    # A full flush ends a block that stands for itself, so the same bytes may follow again and again.
    block = engine.compress(bytes(ZEROS)) + engine.flush(zlib.Z_FULL_FLUSH)
    yield from (block for _ in range(count))
    yield b"\x03\x00"


def gzip_of(prefix: bytes, count: int) -> bytes:
    """A gzip file of a prefix and then zeros; nobody gets as far as its checksum."""
    head = zlib.compressobj(wbits=-15)
    start = head.compress(prefix) + head.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + start + b"".join(zeros_deflated(count)) + bytes(8)


TEN_GB = 640


def header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def zip_bomb() -> bytes:
    packed = b"".join(zeros_deflated(100))
    member = local(b"x.json", packed, method=8, size=100 * ZEROS)
    listed = central(b"x.json", len(packed), 0, method=8, size=100 * ZEROS)
    return member + listed + directory_end(1, len(listed), len(member))


def zip_bomb_that_lies() -> bytes:
    packed = b"".join(zeros_deflated(100))
    member = local(b"x.json", packed, method=8, size=10**6)
    listed = central(b"x.json", len(packed), 0, method=8, size=10**6)
    return member + listed + directory_end(1, len(listed), len(member))


def zip_of_many() -> bytes:
    packed = b"".join(zeros_deflated(2))
    members = [local(b"%03d.json" % n, packed, method=8, size=2 * ZEROS) for n in range(320)]
    listed = b"".join(
        central(b"%03d.json" % n, len(packed), n * len(members[0]), method=8, size=2 * ZEROS) for n in range(320)
    )
    return b"".join(members) + listed + directory_end(320, len(listed), len(members[0]) * 320)


BOMBS: dict[str, Callable[[], bytes]] = {
    "one.zip": zip_bomb,
    "lie.zip": zip_bomb_that_lies,
    "many.zip": zip_of_many,
    "member.tar.gz": lambda: gzip_of(header("x.json", TEN_GB * ZEROS), TEN_GB),
    "other.tar.gz": lambda: gzip_of(header("x.bin", TEN_GB * ZEROS), TEN_GB),
    "nothing.tar.gz": lambda: gzip_of(b"", TEN_GB),
    "x.json.gz": lambda: gzip_of(b'{"stability_score":1,"records":[', TEN_GB),
    "x.tar.zst": lambda: compressed("zst", header("x.bin", TEN_GB * ZEROS)) + compressed("zst", bytes(ZEROS)) * TEN_GB,
    "x.json.zst": lambda: compressed("zst", bytes(ZEROS)) * TEN_GB,
    "x.tar.xz": lambda: compressed("xz", header("x.bin", TEN_GB * ZEROS)) + compressed("xz", bytes(ZEROS)) * TEN_GB,
}
"""Containers of about 10 GB of zeros."""

OTHER_RULES = {"lie.zip": "container-damaged", "nothing.tar.gz": "container-refused"}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_little_memory(tmp_path: Path, forks: ForkServer, name: str) -> None:
    bomb = write(tmp_path, {name: BOMBS[name]()}) / name

    loaded, rules, grown = measured(forks, tmp_path, bomb)

    assert (loaded, rules) == (0, [OTHER_RULES.get(name, "container-limit")])
    assert grown < 100_000_000


def test_identical_records_are_not_taken_for_a_bomb(tmp_path: Path, forks: ForkServer) -> None:
    # The smallest that honest telemetry becomes: every record is the same.
    data = compressed("gz", producer_session(*[{}] * 60_000))

    loaded, rules, _ = measured(forks, tmp_path, write(tmp_path, {"x.json.gz": data}) / "x.json.gz")

    assert loaded == 1
    assert not any(rule.startswith("container") for rule in rules)


READ = """
import sys
from clamp_analytics.sources import Member
from clamp_analytics.sources.containers.contents import read_container
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
list(read_container(sys.argv[1]))
before = peak()
total = sum(len(found.data) for found in read_container(sys.argv[2]) if isinstance(found, Member))
print(total, peak() - before)
"""


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz", "tar.zst", "tar", "zip"])
def test_memory_does_not_grow_with_what_a_container_holds(tmp_path: Path, forks: ForkServer, kind: str) -> None:
    # How a container is read does not depend on what is in its members.
    size, count = 1 << 20, 150
    small = tmp_path / f"small.{kind}"
    large = tmp_path / f"large.{kind}"
    for path, members in ((small, 1), (large, count)):
        path.write_bytes(many(kind, size, members))

    done = forks.run(READ, str(small), str(large))

    total, grown = map(int, done.out.split())
    assert total == size * count
    # What is kept until the end is known to be sound, and a member or two.
    assert grown < 64_000_000 + 8 * size


def many(kind: str, size: int, count: int) -> bytes:
    """A container of ``count`` equal members that no limit refuses; each is compressed once."""
    content = random.Random(1).randbytes(size // 64) + b" " * (size - size // 64)
    if kind == "zip":
        engine = zlib.compressobj(1, wbits=-15)
        packed = engine.compress(content) + engine.flush()
        crc = zlib.crc32(content)
        members = [local(b"%03d.json" % n, packed, method=8, size=size, crc=crc) for n in range(count)]
        listed = b"".join(
            central(b"%03d.json" % n, len(packed), n * len(members[0]), method=8, size=size, crc=crc)
            for n in range(count)
        )
        return b"".join(members) + listed + directory_end(count, len(listed), len(members[0]) * count)
    # Streams may follow each other, so headers and contents are each one.
    shrunk = compressed(kind, content + bytes(-size % 512))
    headers = [compressed(kind, header(f"{n:03}.json", size)) for n in range(count)]
    return b"".join(head + shrunk for head in headers) + compressed(kind, bytes(1024))
