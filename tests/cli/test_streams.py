"""Standard streams that are closed or full, and Ctrl-C, with real processes."""

import os
import pty
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "clamp_analytics"]

# Sends the interrupt when a module is imported, which no test could time from outside.
INTERRUPT_AT_IMPORT = """
import os, signal, sys

module = sys.argv[1]

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
        return None

import clamp_analytics.__main__
sys.meta_path.insert(0, Finder())
sys.argv = ["clamp-analytics", *sys.argv[2:]]
clamp_analytics.__main__.main()
"""


def shell(script, *arguments):
    return subprocess.run(
        ["bash", "-c", script, sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def take_interrupts():
    """Let a child take the signal even where a shell started the tests in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_success_stays_one_without_standard_error(clean, redirection):
    done = shell(f'"$0" -m clamp_analytics validate "$1" {redirection}', clean)

    assert done.returncode == 0


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_gate_fails_without_standard_error(faulty, redirection):
    done = shell(f'"$0" -m clamp_analytics validate "$1" --format csv {redirection}', faulty)

    assert done.returncode == 1
    assert done.stdout.startswith("source,")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_wrong_usage_ends_with_two_without_standard_error(redirection):
    assert shell(f'"$0" -m clamp_analytics summarize {redirection}').returncode == 2


def test_no_file_takes_the_number_of_a_closed_stream(clean, tmp_path):
    done = shell('"$0" -m clamp_analytics summarize "$1" -o "$2" 2>&-', clean, tmp_path / "summary.json")

    assert done.returncode == 0
    assert (tmp_path / "summary.json").read_text().startswith("{")


def test_closed_standard_output_is_an_error_and_no_traceback(clean):
    done = shell('"$0" -m clamp_analytics summarize "$1" --no-artifact >&-', clean)

    assert (done.returncode, done.stderr) == (3, "error: standard output is closed\n")


@pytest.mark.parametrize(
    "arguments",
    [("summarize", "-"), ("validate", "-"), ("sql", "-", "FROM sessions"), ("sql", "runs", "--file", "-")],
)
def test_an_interrupt_ends_waiting_for_standard_input(arguments):
    terminal, stdin = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=stdin,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=take_interrupts,
    )
    os.close(stdin)
    _wait_until_it_reads(process.pid)

    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]

    os.close(terminal)
    assert (process.returncode, stderr) == (130, b"interrupted\n")


def _wait_until_it_reads(pid):
    """Wait until the main thread of a process sleeps in a system call on standard input."""
    while True:
        with open(f"/proc/{pid}/syscall") as file:
            call = file.read().split()
        # read(0, …), or pselect6: numbers of x86-64, and of the generic table of other machines.
        if call[0] in {"0", "63"} and call[1] == "0x0":
            return
        if call[0] in {"23", "270", "72"}:
            return


# A thread of a library may get the signal. This one sends it to itself when the main thread sleeps in `pselect6`.
INTERRUPT_IN_A_THREAD = """
import os, signal, sys, threading

def interrupt():
    while open(f"/proc/self/task/{os.getpid()}/syscall").read().split()[0] not in {"270", "72"}:
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
sys.argv = ["clamp-analytics", "summarize", "-"]
from clamp_analytics.__main__ import main
main()
"""


def test_an_interrupt_that_another_thread_gets_ends_waiting_for_standard_input():
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPT_IN_A_THREAD],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=take_interrupts,
    ) as process:
        try:
            process.wait(timeout=60)
        finally:
            process.kill()

        assert (process.returncode, process.stderr.read()) == (130, b"interrupted\n")


@pytest.mark.parametrize("module", ["typer", "clamp_analytics.cli.summarize", "polars"])
def test_an_interrupt_during_imports_ends_with_130_and_no_traceback(clean, module):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT_AT_IMPORT, module, "summarize", clean],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=take_interrupts,
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_an_early_interrupt_of_watch_ends_with_130(clean, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT_AT_IMPORT, "clamp_analytics.cli.watch", "watch", clean, "-a", "x.duckdb"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
        preexec_fn=take_interrupts,
    )

    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_a_reader_that_has_enough_ends_the_command_quietly(clean):
    command = f"{sys.executable} -m clamp_analytics sql {clean} 'FROM records, range(2000)' -f csv | head -1"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.startswith("session_id,")
    assert "Traceback" not in done.stderr


def test_an_interrupt_ends_with_130(tmp_path):
    # The interrupt is sent by the process itself, at the moment when it has begun to read.
    script = (
        "import os, signal, sys\n"
        "import clamp_analytics.reading.task as task\n"
        "task.read_bytes = lambda path: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.argv = ['clamp-analytics', 'summarize', sys.argv[1]]\n"
        "from clamp_analytics.__main__ import main\n"
        "main()\n"
    )
    (tmp_path / "a.json").write_text("{}")

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (130, "interrupted\n")
