"""Entry point of the command ``clamp-analytics``."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from types import FrameType

from clamp_analytics import __version__

INTERRUPTED = 130
"""The exit code after Ctrl-C; ``cli.exit_codes`` has the others, and importing it takes time."""


def main() -> None:
    """Run the command line; the version is shown before anything else is imported."""
    _open_missing_descriptors()
    _ignore_errors_of_stderr()
    # A background process of a shell script ignores the signal, and must continue to do so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_at_once)
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"clamp-analytics {__version__}\n")
        return
    # Otherwise deltalake logs warnings, for example outside of Amazon's cloud, beside the error that we show.
    os.environ.setdefault("RUST_LOG", "error")
    from clamp_analytics.cli import make_app

    try:
        make_app(*sys.argv[1:2])(prog_name="clamp-analytics")
    finally:
        # The last garbage collection of Python takes longer than many commands, and is skipped. DuckDB's binding needs
        # it, because it reports remaining objects as leaks.
        if "duckdb" not in sys.modules:
            gc.freeze()


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """End the process on Ctrl-C while it starts or ends, when there is nothing to clean up.

    An exception could come out of any import, where a library may catch or report it. While a command runs, Ctrl-C
    raises KeyboardInterrupt instead.
    """
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def _open_missing_descriptors() -> None:
    """Open /dev/null for each standard stream that is closed.

    Otherwise the next file that is opened gets its number, and messages of a library would be written into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


class _UnfailingWriter(io.FileIO):
    """A file whose writes never fail: data that cannot be written is dropped."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write the data, or drop it."""
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _ignore_errors_of_stderr() -> None:
    """Let a full disk or a closed pipe behind standard error change neither the result nor the exit code."""
    encoding = sys.stderr.encoding if sys.stderr is not None else "utf-8"
    writer = _UnfailingWriter(2, "w", closefd=False)
    sys.stderr = io.TextIOWrapper(writer, encoding=encoding, errors="backslashreplace", write_through=True)


if __name__ == "__main__":
    main()
