"""Progress on the terminal's standard error."""

import os
import pty
import select
import subprocess
import sys

from clamp_analytics.cli.progress import progress_bar, step


def shown_by(script):
    """What a Python script shows on a terminal that is its standard error."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    try:
        # The end of the process closes the terminal, which ends the reading.
        while select.select([ours], [], [], 120)[0] and (part := os.read(ours, 65536)):
            shown += part
    except OSError:
        pass
    finally:
        process.wait(120)
        os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_a_bar_shows_what_is_done_and_how_many_files():
    shown = shown_by(
        "from clamp_analytics.cli.progress import progress_bar\n"
        "with progress_bar('reading', after_seconds=0) as update:\n"
        "    update(3, 10)\n"
    )

    assert "reading" in shown
    assert "3/10" in shown


def test_a_short_step_shows_nothing():
    assert (
        shown_by(
            "from clamp_analytics.cli.progress import progress_bar, step\n"
            "with progress_bar('reading', after_seconds=3600) as update:\n"
            "    update(3, 10)\n"
            "with step('judging', after_seconds=3600):\n"
            "    pass\n"
        )
        == ""
    )


def test_nothing_is_shown_where_standard_error_is_not_a_terminal(capsys):
    with progress_bar("reading", after_seconds=0) as update, step("judging", after_seconds=0):
        assert update is None

    assert capsys.readouterr().err == ""
