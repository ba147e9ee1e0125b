"""The limits of what a container may hold."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path

import pytest

from clamp_analytics.errors import UsageError
from clamp_analytics.reading import Counts
from clamp_analytics.sources import ContainerLimits
from tests.conftest import GOOD
from tests.sources.container_builders import (
    KINDS,
    TARS,
    a_tar,
    build,
    compressed,
)
from tests.sources.container_results import TWO, beside, container_faults, refused


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_above_the_limit_refuses_the_container(tmp_path: Path, kind: str) -> None:
    largest = max(map(len, TWO.values()))
    data = build(kind, TWO)

    assert beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_member_bytes=largest)).counts.loaded == 3
    telemetry = beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_member_bytes=largest - 1))

    assert "max_member_bytes" in refused(telemetry, f"x.{kind}", "container-limit")


@pytest.mark.parametrize("kind", ["json.gz", "json.zst"])
def test_a_compressed_session_above_the_limit_is_refused(tmp_path: Path, kind: str) -> None:
    data = compressed(kind, GOOD)

    assert beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_member_bytes=len(GOOD))).counts.loaded == 2
    telemetry = beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_member_bytes=len(GOOD) - 1))

    assert "max_member_bytes" in refused(telemetry, f"x.{kind}", "container-limit")


@pytest.mark.parametrize("kind", KINDS)
def test_more_bytes_than_the_limit_refuse_the_container(tmp_path: Path, kind: str) -> None:
    telemetry = beside(tmp_path, f"x.{kind}", build(kind, TWO), limits=ContainerLimits(max_total_bytes=len(GOOD) + 1))

    assert "max_total_bytes" in refused(telemetry, f"x.{kind}", "container-limit")


@pytest.mark.parametrize("kind", KINDS)
def test_more_entries_than_the_limit_refuse_the_container(tmp_path: Path, kind: str) -> None:
    data = build(kind, {**TWO, "z.txt": b""})

    assert beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_members=3)).counts.loaded == 3
    telemetry = beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_members=2))

    assert "max_members" in refused(telemetry, f"x.{kind}", "container-limit")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz", "tar.zst"])
def test_a_ratio_above_the_limit_counts_from_a_size_on(tmp_path: Path, kind: str) -> None:
    data = build(kind, {"x.json": GOOD + b" " * 100_000})

    free = ContainerLimits(max_ratio=10, ratio_from_bytes=200_000)
    assert beside(tmp_path, f"x.{kind}", data, limits=free).counts.loaded == 2
    telemetry = beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_ratio=10, ratio_from_bytes=50_000))

    assert "max_ratio" in refused(telemetry, f"x.{kind}", "container-limit")


def test_a_member_that_is_skipped_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x.bin")
    info.size = 10_000

    telemetry = beside(tmp_path, "x.tar", info.tobuf(), limits=ContainerLimits(max_total_bytes=9_999))

    assert "max_total_bytes" in refused(telemetry, "x.tar", "container-limit")


def test_a_bomb_spread_over_inner_containers_is_one_bomb(tmp_path: Path) -> None:
    inner = {f"{n}.tar.gz": build("tar.gz", {"x.json": GOOD + b" " * 50_000}) for n in range(5)}

    telemetry = beside(tmp_path, "x.tar", a_tar(inner), limits=ContainerLimits(max_total_bytes=150_000))

    assert telemetry.counts == Counts(loaded=3, rejected=3, skipped=0)
    assert container_faults(telemetry) == [(f"{n}.tar.gz", "container-limit") for n in (2, 3, 4)]


def test_limits_below_one_are_wrong_usage() -> None:
    with pytest.raises(UsageError, match="max_ratio must be at least 1"):
        ContainerLimits(max_ratio=0)


def test_a_decoder_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}]
    data = lzma.compress(a_tar(TWO), filters=filters)

    assert "Memory" in refused(beside(tmp_path, "x.tar.xz", data), "x.tar.xz", "container-damaged")


def test_all_kinds_of_tar_are_tried() -> None:
    assert set(TARS) < set(KINDS)
