"""Ctrl-C during a call of DuckDB, in a program that uses the package as a library."""

import os
import signal
import threading

import pytest

from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from tests.conftest import numbered, write


@pytest.fixture(autouse=True)
def default_handler():
    """Ctrl-C raises ``KeyboardInterrupt``, even where a shell started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_error_that_duckdb_raises_for_a_signal_is_a_keyboard_interrupt():
    with pytest.raises(KeyboardInterrupt), raise_keyboard_interrupt():
        raise RuntimeError("Query interrupted")


def test_another_error_is_kept():
    with pytest.raises(RuntimeError, match="another"), raise_keyboard_interrupt():
        raise RuntimeError("another")


def test_ctrl_c_while_an_archive_is_created_is_a_keyboard_interrupt(heap, archive):
    write(heap, {f"{number}.json": numbered(number) for number in range(20)})

    def press_ctrl_c():
        # The temporary file may be renamed before it is seen.
        while not (archive.exists() or list(archive.parent.glob(f".{archive.name}*"))):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012, the signal may come late
        thread.start()
        ingest(heap, archive)
        thread.join()

    assert not list(archive.parent.glob(f".{archive.name}*"))
