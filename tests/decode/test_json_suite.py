"""The public JSON test suite: each file as a session, and as the value of an unknown field."""

from __future__ import annotations

from pathlib import Path

import pytest

from clamp_analytics.reading import Counts, load
from tests.conftest import SHARED, Raw, decode, faults, record, session, statuses, write

SUITE = SHARED / "json_test_suite"
FILES = sorted(SUITE.glob("*.json"))
BLANKS = b" \t\n\r"

pytestmark = pytest.mark.skipif(not FILES, reason="../shared is missing")


def named(prefix: str) -> list[Path]:
    return [path for path in FILES if path.name.startswith(prefix)]


def inside(data: bytes, level: str) -> bytes:
    """A session that has ``data`` as the value of an unknown field."""
    holder = session(record(seed=1), record(seed=2, node=Raw("@")), record(seed=3))
    if level == "top":
        holder = session(record(seed=1), record(seed=2), record(seed=3), node=Raw("@"))
    return holder.replace(b"@", data)


def test_the_suite_is_all_there() -> None:
    assert (len(named("y_")), len(named("n_")), len(named("i_"))) == (95, 188, 35)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_of_the_suite_is_rejected_with_a_reason_and_harms_no_neighbour(path: Path) -> None:
    batch = decode(session(record(seed=1)), path.read_bytes(), session(record(seed=3)))

    assert statuses(batch) == ["loaded", "rejected", "loaded"]
    assert batch.records.select("source", "seed").rows() == [("0.json", 1), ("2.json", 3)]
    assert batch.violations["source"].to_list() == ["1.json"] * batch.violations.height
    assert len(faults(batch)) == 1


def test_the_whole_suite_in_one_folder_leaves_a_good_file_intact(tmp_path: Path) -> None:
    write(tmp_path, {path.name: path.read_bytes() for path in FILES} | {"m.json": session(record())})

    telemetry = load(tmp_path)

    assert telemetry.counts == Counts(loaded=1, rejected=len(FILES), skipped=0)
    assert telemetry.records["seed"].to_list() == [7]


@pytest.mark.parametrize("path", named("y_"), ids=lambda path: path.name)
def test_a_valid_document_is_json_but_not_a_session(path: Path) -> None:
    assert [rule for rule, *_ in faults(decode(path.read_bytes()))] == ["not-a-session"]


@pytest.mark.parametrize("path", named("n_"), ids=lambda path: path.name)
def test_an_invalid_document_is_not_taken_for_json(path: Path) -> None:
    (found,) = faults(decode(path.read_bytes()))

    assert found[0] in {"not-json", "truncated", "not-utf8", "too-deep"}


@pytest.mark.parametrize("level", ["record", "top"])
@pytest.mark.parametrize("path", named("y_"), ids=lambda path: path.name)
def test_a_valid_value_of_an_unknown_field_is_kept_unchanged(path: Path, level: str) -> None:
    batch = decode(inside(path.read_bytes(), level))

    extra = batch.records[1, "extra"] if level == "record" else batch.sessions[0, "extra"]
    assert extra == '{"node": ' + path.read_bytes().strip(BLANKS).decode() + "}"
    assert faults(batch) == []


@pytest.mark.parametrize("level", ["record", "top"])
@pytest.mark.parametrize("path", named("y_"), ids=lambda path: path.name)
def test_a_valid_value_is_kept_beside_a_fault_as_well(path: Path, level: str) -> None:
    data = inside(path.read_bytes(), level).replace(b'"seed":2', b'"seed":-2')

    batch = decode(data)

    extra = batch.records[1, "extra"] if level == "record" else batch.sessions[0, "extra"]
    assert extra == '{"node": ' + path.read_bytes().strip(BLANKS).decode() + "}"
    assert faults(batch) == [("seed-range", 1, "seed", "-2")]


@pytest.mark.parametrize("level", ["record", "top"])
@pytest.mark.parametrize("path", named("n_"), ids=lambda path: path.name)
def test_an_invalid_value_of_an_unknown_field_rejects_the_file(path: Path, level: str) -> None:
    batch = decode(inside(path.read_bytes(), level), session(record(seed=8)))

    assert statuses(batch) == ["rejected", "loaded"]
    assert batch.records["seed"].to_list() == [8]


@pytest.mark.parametrize("level", ["record", "top"])
@pytest.mark.parametrize("path", named("i_"), ids=lambda path: path.name)
def test_a_doubtful_value_of_an_unknown_field_harms_no_other_field(path: Path, level: str) -> None:
    batch = decode(inside(path.read_bytes(), level), session(record(seed=8)))

    assert statuses(batch)[1] == "loaded"
    if statuses(batch)[0] == "loaded":
        assert batch.records["seed"].to_list() == [1, 2, 3, 8]
