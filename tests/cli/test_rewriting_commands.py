"""``align``, ``merge`` and ``trace`` as a user runs them."""

from __future__ import annotations

import json
import os

import pytest

from tests.conftest import GOOD, numbered, record, session, write


def test_align_writes_files_and_names_what_it_wrote(clamp, tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "in/b.json": numbered(9)})

    done = clamp("align", "in", "--to", "2030-01-01T00:00:00Z", "-o", "out")

    assert (done.code, done.out) == (0, "")
    assert done.err == "wrote 2 files to out; files: 2 seen = 2 loaded + 0 rejected + 0 skipped\n"
    assert (tmp_path / "out" / "a.json").read_bytes() == GOOD.replace(b"2026-01-01", b"2030-01-01")


def test_align_ends_with_one_where_a_file_was_left_out(clamp, tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "in/cut.json": b"{"})

    done = clamp("align", "in", "--to", "2030-01-01T00:00:00Z", "-o", "out")

    assert done.code == 1
    assert done.err.startswith("not written: in/cut.json: The file ends inside its JSON document.")
    assert os.listdir(tmp_path / "out") == ["a.json"]


def test_align_refuses_a_reference_that_is_not_a_timestamp(clamp, tmp_path):
    write(tmp_path, {"a.json": GOOD})

    done = clamp("align", "a.json", "--to", "tomorrow", "-o", "out")

    assert (done.code, done.err.splitlines()[0]) == (2, "error: --to: 'tomorrow' is not an ISO 8601 date and time")


def test_align_never_replaces_a_file(clamp, tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "out/a.json": b"mine"})

    done = clamp("align", "in", "--to", "2030-01-01T00:00:00Z", "-o", "out")

    assert (done.code, done.err) == (
        3,
        "error: out/a.json: it exists already\n  hint: choose another path\n",
    )
    assert (tmp_path / "out" / "a.json").read_bytes() == b"mine"


def test_align_reads_standard_input(clamp, tmp_path):
    done = clamp("align", "-", "--to", "2030-01-01T00:00:00Z", "-o", "out", stdin=GOOD)

    assert done.code == 0
    assert os.listdir(tmp_path / "out") == ["stdin.json"]


def test_align_escapes_a_hostile_name(clamp, tmp_path):
    write(tmp_path, {"in/\x1b[31m.json": b"{", "in/a.json": GOOD})

    done = clamp("align", "in", "--to", "2030-01-01T00:00:00Z", "-o", "out")

    assert "\x1b" not in done.err
    assert r"in/\x1b[31m.json" in done.err


def test_align_lists_at_most_ten_of_a_kind(clamp, tmp_path):
    write(tmp_path, {f"in/{number:02d}.json": b"{" for number in range(12)})

    done = clamp("align", "in", "--to", "2030-01-01T00:00:00Z", "-o", "out")

    assert "… and 2 more not written\n" in done.err


def test_merge_writes_one_session(clamp, tmp_path):
    write(tmp_path, {"in/a.json": session(record(thread_id="1")), "in/b.json": session(record(thread_id="2", seed=8))})

    done = clamp("merge", "in", "-o", "run.json")

    assert (done.code, done.out) == (0, "")
    assert done.err == "wrote 2 records to run.json; files: 2 seen = 2 loaded + 0 rejected + 0 skipped\n"
    assert len(json.loads((tmp_path / "run.json").read_bytes())["records"]) == 2


def test_merge_prints_the_session_alone(clamp, tmp_path):
    write(tmp_path, {"a.json": GOOD})

    done = clamp("merge", "a.json", "-o", "-")

    assert json.loads(done.out)["records"] == json.loads(GOOD)["records"]


def test_merge_refuses_a_rejected_file_and_writes_nothing(clamp, tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "in/cut.json": b"{"})

    done = clamp("merge", "in", "-o", "run.json")

    assert done.code == 3
    assert done.err.startswith("error: in/cut.json: it cannot be merged: The file ends inside its JSON document.")
    assert not (tmp_path / "run.json").exists()


def test_merge_leaves_rejected_files_out_on_request(clamp, tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "in/cut.json": b"{"})

    done = clamp("merge", "in", "-o", "run.json", "--skip-rejected")

    assert done.code == 0
    assert done.err.startswith("left out: in/cut.json: The file ends")


def test_merge_replaces_a_file_only_on_request(clamp, tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "run.json": b"mine"})

    refused = clamp("merge", "in", "-o", "run.json")
    kept = (tmp_path / "run.json").read_bytes()
    done = clamp("merge", "in", "-o", "run.json", "--overwrite")

    assert (refused.code, kept, done.code) == (3, b"mine", 0)
    assert refused.err.endswith("hint: name another file, or replace it with --overwrite\n")
    assert (tmp_path / "run.json").read_bytes() != b"mine"


@pytest.mark.parametrize("arguments", [("merge", ".", "--overwrite", "-o", "a.json"), ("trace", ".", "-o", "./a.json")])
def test_a_source_is_never_replaced(clamp, tmp_path, arguments):
    write(tmp_path, {"a.json": GOOD})

    done = clamp(*arguments)

    assert (done.code, (tmp_path / "a.json").read_bytes()) == (2, GOOD)
    assert done.err.startswith("error: a.json: it is one of the sources")


def test_trace_writes_a_file_and_counts_its_events(clamp, tmp_path):
    write(tmp_path, {"in/a.json": session(record(), record(seed=8, released_at=None, duration_ms=0))})

    done = clamp("trace", "in", "-o", "trace.json")

    assert (done.code, done.out) == (0, "")
    assert done.err == "wrote trace.json: 2 events (1 in flight); files: 1 seen = 1 loaded + 0 rejected + 0 skipped\n"
    assert {event["ph"] for event in json.loads((tmp_path / "trace.json").read_bytes())["traceEvents"]} == {
        "M",
        "X",
        "B",
    }


def test_trace_prints_the_trace_alone_and_the_same_for_any_number_of_workers(clamp, clean, faulty):
    outputs = {clamp("trace", clean, faulty, "-o", "-", "--jobs", jobs).out for jobs in (1, 3)}

    (output,) = outputs
    assert json.loads(output)["displayTimeUnit"] == "ms"


def test_trace_names_what_it_does_not_show(clamp, tmp_path):
    records = [record(acquired_at=""), record(seed=8), record(acquired_at="1950-01-01T00:00:00Z", seed=9)]
    write(tmp_path, {"in/a.json": session(*records, record(duration_ms=-1, seed=10)), "in/cut.json": b"{"})

    done = clamp("trace", "in", "-o", "trace.json")

    assert done.code == 0
    assert done.err.splitlines()[1:4] == [
        "not shown: in/a.json: 1 with no usable acquisition (records 0)",
        "not shown: in/a.json: 1 with a time outside of 1970 to 2255, which viewers cannot represent (records 2)",
        "1 with a negative duration are shown with none",
    ]
    assert done.err.startswith("rejected: in/cut.json: The file ends inside")


def test_trace_of_nothing_usable_ends_with_three(clamp, tmp_path):
    write(tmp_path, {"cut.json": b"{"})

    done = clamp("trace", "cut.json", "-o", "trace.json")

    assert done.code == 3
    assert not (tmp_path / "trace.json").exists()


@pytest.mark.parametrize("name", ["align", "merge", "trace"])
def test_help_gives_an_example(clamp, name):
    assert f"clamp-analytics {name} " in clamp(name, "--help").out.partition("Examples:")[2]
