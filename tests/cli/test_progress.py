"""Progress on the terminal's standard error."""

import os
import pty
import select
import subprocess
import sys

from clamp_analytics.cli.progress import step


def shown_by(script, until=b""):
    """What a Python script shows on a terminal that is its standard error.

    The script may read a line from its standard input, which it gets once a text was shown.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    try:
        # The end of the process closes the terminal, which ends the reading.
        while select.select([ours], [], [], 120)[0] and (part := os.read(ours, 65536)):
            shown += part
            if until in shown and not process.stdin.closed:
                process.stdin.write(b"\n")
                process.stdin.close()
    except OSError:
        pass
    finally:
        process.stdin.close()
        process.wait(120)
        os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_a_step_shows_what_is_done_how_much_and_an_estimate():
    shown = shown_by(
        "from clamp_analytics.cli.progress import step\n"
        "with step('reading', after_seconds=0) as update:\n"
        "    update(2000, 10000)\n"
        "    update(3000, 10000)\n"
        "    input()\n",
        until=b" left",
    )

    assert "reading" in shown
    assert "3,000 of 10,000, about 0:00:" in shown


def test_a_step_may_show_a_percentage():
    shown = shown_by(
        "from clamp_analytics.cli.progress import step\n"
        "with step('running', in_percent=True, after_seconds=0) as update:\n"
        "    update(20, 100)\n"
        "    update(30, 100)\n"
        "    input()\n",
        until=b" left",
    )

    assert "30 %, about 0:00:" in shown


def test_a_step_whose_amount_of_work_is_unknown_shows_the_elapsed_time():
    shown = shown_by(
        "from clamp_analytics.cli.progress import step\nwith step('merging', after_seconds=0):\n    input()\n",
        until=b"0:00:",
    )

    assert "merging" in shown
    assert " of " not in shown


def test_nothing_is_shown_of_a_step_after_all_is_done():
    shown = shown_by(
        "import sys\n"
        "from clamp_analytics.cli.progress import step\n"
        "with step('reading', after_seconds=0) as update:\n"
        "    update(1, 10)\n"
        "    input()\n"
        "    update(10, 10)\n"
        "    sys.stderr.write('the next step')\n",
        until=b"1 of 10",
    )

    assert shown.endswith("the next step")


def test_what_is_left_when_all_is_counted_is_shown():
    shown = shown_by(
        "from clamp_analytics.cli.progress import step\n"
        "with step('reading', then='writing', after_seconds=0) as update:\n"
        "    update(10, 10)\n"
        "    input()\n",
        until=b"writing",
    )

    assert "writing" in shown
    assert "10 of 10" not in shown


def test_a_short_step_shows_nothing():
    assert (
        shown_by(
            "from clamp_analytics.cli.progress import step\n"
            "with step('reading', after_seconds=3600) as update:\n"
            "    update(3, 10)\n"
            "with step('judging', after_seconds=3600):\n"
            "    pass\n"
        )
        == ""
    )


def test_nothing_is_shown_where_standard_error_is_not_a_terminal(capsys):
    with step("reading", after_seconds=0) as update:
        assert update is None

    assert capsys.readouterr().err == ""
