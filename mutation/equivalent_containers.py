"""Mutants of the reading of zips and tars that behave as the original does."""

from __future__ import annotations

from mutation.equivalence import Equivalent

_FOLDER = "clamp_analytics/sources/containers/"
_READ_AT_ONCE = "How much is read at once does not change what is read."
_UNUSED_OFFSET = "The offset that is the last argument is not used."

CONTAINERS = (
    Equivalent(_FOLDER + "tars.py", "while rest := stream.upto(1 << 16):", ("1 -> 2", "16 -> 17"), _READ_AT_ONCE),
    Equivalent(
        _FOLDER + "tars.py",
        'if match is None or end > len(data) or end <= match.end() or data[end - 1 : end] != b"\\n":',
        ("end <= match.end() -> end < match.end()",),
        "The byte before the value is an equals sign and not a line end.",
    ),
    Equivalent(
        _FOLDER + "zip_salvage.py",
        "trailer = file.at(end, 24)",
        ("24 -> 25",),
        "One byte is read that is not used.",
    ),
    Equivalent(
        _FOLDER + "zip_salvage.py",
        "why = refusal_of(0, needed, flags, method)",
        ("0 -> 1",),
        "Neither mode is that of a special file.",
    ),
    Equivalent(
        _FOLDER + "zip_salvage.py",
        "size, packed, _ = large_sizes(extra, size, packed, 0)",
        ("0 -> 1",),
        _UNUSED_OFFSET,
    ),
    Equivalent(_FOLDER + "zip_salvage.py", "data = file.at(at, 1 << 16)", ("1 -> 2", "16 -> 17"), _READ_AT_ONCE),
    Equivalent(
        _FOLDER + "zip_salvage.py",
        "piece = engine.decompress(data, 1 << 18)",
        ("1 << 18 -> 1 >> 18", "1 -> 2", "18 -> 19"),
        _READ_AT_ONCE,
    ),
    Equivalent(
        _FOLDER + "zips.py",
        "_ENCRYPTED = 0x1 | 0x40 | 0x2000",
        ("64 -> 65", "8192 -> 8193"),
        "The first bit is one of the mask already.",
    ),
    Equivalent(_FOLDER + "zips.py", "_WINDOW = 1 << 20", ("1 << 20 -> 1 >> 20", "1 -> 2", "20 -> 21"), _READ_AT_ONCE),
    Equivalent(
        _FOLDER + "zips.py",
        "if offset >= self.size:",
        ("offset >= self.size -> offset > self.size",),
        "Reading at the end of the file gives no bytes.",
    ),
    Equivalent(
        _FOLDER + "zips.py",
        "if self._at + size > len(self._window):",
        ("self._at + size > len(self._window) -> self._at + size >= len(self._window)",),
        _READ_AT_ONCE,
    ),
    Equivalent(
        _FOLDER + "zips.py",
        "more = self._file.at(self._next, min(max(_WINDOW, size), self._unread))",
        ("max(_WINDOW, size) -> min(_WINDOW, size)",),
        _READ_AT_ONCE,
    ),
    Equivalent(
        _FOLDER + "zips.py",
        "mode = attributes >> 16 if made_by >> 8 == _UNIX else 0",
        ("0 -> 1",),
        "Neither mode is that of a special file.",
    ),
    Equivalent(
        _FOLDER + "zips.py",
        "for index, following in pairwise([*order, -1]):",
        ("1 -> 2",),
        "Any number below zero marks the end.",
    ),
    Equivalent(
        _FOLDER + "zips.py",
        "size, packed, _ = large_sizes(extra, size, packed, 0)",
        ("0 -> 1",),
        _UNUSED_OFFSET,
    ),
    Equivalent(
        _FOLDER + "zips.py",
        "data = engine.decompress(data, member.size + 1)",
        ("1 -> 2",),
        "More content than the size is damage, whatever its length.",
    ),
)
