"""The native decoder, the distribution ``clamp-analytics-kernel``, where it is installed.

It decodes files in which nothing is wrong, without the interpreter's lock. Every other file is doubtful and is decoded
in Python, which names each fault. Both give the same tables, byte for byte.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any, Protocol, cast

KERNEL_VARIABLE = "CLAMP_ANALYTICS_KERNEL"
"""The environment variable that turns the native decoder off where its value is ``off``."""

INTERFACE = 4
"""The version of the functions below; the module says which one it has."""


class LargeFile(Protocol):
    """A file that is decoded window by window; its tables are taken through the Arrow C data interface."""

    def records(self) -> Any | None:
        """The records of the next window; None after the last one, and where the file is doubtful."""

    def session(self) -> tuple[Any, Any] | None:
        """The session and its records in flight, after the last window; None where the file is doubtful."""


class Kernel(Protocol):
    """The functions of the native decoder; their tables are taken through the Arrow C data interface."""

    INTERFACE: int
    __version__: str

    def decode_files(
        self, files: Sequence[str | bytes | None], columns: Sequence[str], session_ids: bool, in_flight_listed: int
    ) -> tuple[list[int], Any, Any, Any]:
        """Decode files: the indexes of doubtful ones; then sessions, records and records in flight of the others."""

    def open_large_file(
        self, path: str, columns: Sequence[str], in_flight_listed: int, window_bytes: int
    ) -> LargeFile | None:
        """Begin to decode a file in windows of about so many bytes; None where it is doubtful."""

    def decode_ahead(
        self,
        groups: Sequence[tuple[Sequence[str], int | None]],
        columns: Sequence[str],
        session_ids: bool,
        in_flight_listed: int,
    ) -> None:
        """Begin to decode, on a thread of its own, files that are decoded soon with the same arguments.

        A group is the paths of one call of ``decode_files`` and None, or the path of a large file and the size of its
        windows.
        """


def load_kernel() -> Kernel | None:
    """The native decoder; None where it is turned off, not installed, or of another version than this package."""
    found = _installed() if os.environ.get(KERNEL_VARIABLE) != "off" else None
    return found if found is not None and found.INTERFACE == INTERFACE else None


def describe_decoder() -> str:
    """Which decoder is used, and why."""
    if os.environ.get(KERNEL_VARIABLE) == "off":
        return f"pure Python ({KERNEL_VARIABLE}=off)"
    found = _installed()
    if found is None:
        return "pure Python (clamp-analytics-kernel is not installed)"
    if found.INTERFACE != INTERFACE:
        return f"pure Python (clamp-analytics-kernel {found.__version__} does not fit this version)"
    return f"native (clamp-analytics-kernel {found.__version__})"


def _installed() -> Kernel | None:
    try:
        return cast("Kernel", importlib.import_module("clamp_analytics_kernel"))
    except ImportError:
        return None
