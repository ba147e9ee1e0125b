"""Digests of the provenance snapshots of sessions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clamp_analytics.analysis.series import session_values
from clamp_analytics.analysis.series.snapshots import snapshot_digests
from clamp_analytics.reading import load
from tests.conftest import record, session, write


@pytest.mark.parametrize("name", ["build/rocm_snapshot.json", "build/telemetry/rocm_snapshot.json"])
def test_the_snapshot_of_a_build_is_in_the_folder_of_its_sessions_or_beside_it(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"build/telemetry/a.json": session(record()), name: b'{"digest": "sha256:12"}'})

    found = session_values(load(tmp_path / "build" / "telemetry"))

    assert found.attributes["snapshot"].to_list() == ["sha256:12"]


def test_the_snapshot_in_a_session_file_goes_before_that_beside_it(tmp_path: Path) -> None:
    write(tmp_path, {"rocm_snapshot.json": b'{"digest": "sha256:12"}'})
    extra = json.dumps({"build_info": {"digest": "sha256:34"}})

    assert snapshot_digests([f"{tmp_path}/a.json"], [extra]) == ["sha256:34"]


@pytest.mark.parametrize("content", [b'{"image": "rocm"}', b"not JSON", b'{"digest": 1}', b"[]"])
def test_a_snapshot_without_a_digest_has_a_hash(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {"rocm_snapshot.json": content})

    (digest,) = snapshot_digests([f"{tmp_path}/a.json"], [None])

    assert digest is not None
    assert len(digest) == 12


def test_a_session_without_a_snapshot_has_no_digest(tmp_path: Path) -> None:
    sources = [f"{tmp_path}/runs/a.json", "s3://bucket/runs/a.json", f"{tmp_path}/a.zip!/runs/b.json"]

    assert snapshot_digests(sources, [None, '{"note": "build_info"}', "{}"]) == [None, None, None]
