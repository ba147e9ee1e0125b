"""``max_records``: records beyond it are written as files of their own, or counted as dropped."""

import pytest

from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry, RecorderWarning


def _record(telemetry, times):
    for _ in range(times):
        with ClampAnchor("x", telemetry):
            pass


def test_records_beyond_max_records_are_written_as_session_files(tmp_path, sessions):
    telemetry = EntropyTelemetry(tmp_path, max_records=10)
    _record(telemetry, 35)
    held = len(telemetry.records())
    telemetry.write_json()
    telemetry.close()

    files = sessions(tmp_path)
    seeds = [record["seed"] for session in files for record in session["records"]]
    assert held == 5
    assert sorted(len(session["records"]) for session in files) == [5, 10, 10, 10]
    assert len(set(seeds)) == 35


def test_anchors_in_flight_do_not_count_and_are_written_with_the_next_session(tmp_path, sessions):
    telemetry = EntropyTelemetry(tmp_path, max_records=2)
    anchors = [ClampAnchor(f"open-{number}", telemetry).lock() for number in range(5)]
    _record(telemetry, 3)
    for anchor in anchors:
        anchor.release()
    telemetry.write_json()
    telemetry.close()

    records = [record for session in sessions(tmp_path) for record in session["records"]]
    assert len(records) == 8
    assert all(record["released_at"] is not None for record in records)


def test_a_rolled_session_omits_records_that_write_json_has_written(tmp_path, sessions):
    telemetry = EntropyTelemetry(tmp_path, max_records=10)
    _record(telemetry, 7)
    telemetry.write_json()
    _record(telemetry, 4)
    telemetry.close()

    assert sorted(len(session["records"]) for session in sessions(tmp_path)) == [3, 7]


def test_in_drop_mode_records_beyond_the_limit_are_counted_with_one_warning(tmp_path):
    telemetry = EntropyTelemetry(tmp_path, max_records=10, on_full="drop")
    _record(telemetry, 10)
    assert telemetry.dropped == 0
    with pytest.warns(RecorderWarning, match="full") as warned:
        _record(telemetry, 5)

    assert len(warned) == 1
    assert telemetry.dropped == telemetry.dropped == 5
    assert len(telemetry.records()) == 10
    assert not list(tmp_path.iterdir())


def test_a_warning_never_reaches_the_code_that_records(tmp_path, capsys):
    # The configuration of this test run turns warnings into errors.
    telemetry = EntropyTelemetry(tmp_path, max_records=1, on_full="drop")
    _record(telemetry, 3)

    assert "RecorderWarning: telemetry is full" in capsys.readouterr().err
    assert telemetry.dropped == 2


def test_close_writes_once_what_an_exit_would_write(tmp_path, sessions):
    telemetry = EntropyTelemetry(tmp_path, checkpoint=60)
    _record(telemetry, 3)
    telemetry.close()
    telemetry.close()

    assert [len(session["records"]) for session in sessions(tmp_path)] == [3]


def test_a_closed_telemetry_still_rolls(tmp_path, sessions):
    telemetry = EntropyTelemetry(tmp_path, max_records=10, exit_timeout=60)
    _record(telemetry, 1)
    telemetry.close()
    _record(telemetry, 34)

    assert sorted(len(session["records"]) for session in sessions(tmp_path)) == [10, 10, 10]
    assert (len(telemetry.records()), telemetry.dropped) == (5, 0)
