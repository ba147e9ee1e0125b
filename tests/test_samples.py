"""The sample sessions come from their script, and each is what its name says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clamp_analytics.reading import load

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
EXPECTED = {
    "cut": "truncated",
    "empty": "truncated",
    "not_json": "not-json",
    "not_a_session": "not-a-session",
    "zero_seed": "seed-zero",
    "seed_beyond_64_bits": "seed-range",
    "score_out_of_range": "score-range",
    "score_as_text": "wrong-type",
    "negative_duration": "duration-negative",
    "unset_release": "timestamp-unset",
    "impossible_date": "timestamp-unreadable",
    "local_time": "timestamp-not-utc",
    "in_flight": "in-flight",
    "unknown_field": "unknown-field",
    "seed_reused": "seed-reused",
    "wrong_mean": "mean-contradicts-records",
}


def test_the_script_writes_the_samples_that_are_stored(tmp_path):
    script = shutil.copy(SAMPLES / "make_samples.py", tmp_path)

    subprocess.run([sys.executable, script], check=True, capture_output=True)

    def content(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*.json")}

    assert content(tmp_path) == content(SAMPLES)


@pytest.mark.parametrize("folder", ["clean", "drifting"])
def test_sound_samples_have_no_violation(folder):
    telemetry = load(SAMPLES / folder)

    assert telemetry.violations.is_empty()
    assert telemetry.counts.rejected == 0


@pytest.mark.parametrize("name", EXPECTED)
def test_a_faulty_sample_has_the_fault_in_its_name(name):
    assert EXPECTED[name] in load(SAMPLES / "faulty" / f"{name}.json").violations["rule"]


def test_every_faulty_sample_is_expected():
    assert {path.stem for path in (SAMPLES / "faulty").iterdir()} == set(EXPECTED)


def test_the_samples_are_of_the_format_that_the_specification_gives():
    record = json.loads(next((SAMPLES / "clean").iterdir()).read_text())["records"][0]

    fields = ["context", "seed", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score"]
    assert list(record) == fields
