"""File names: which are sessions or containers, how members are named, and which names are refused."""

from __future__ import annotations

import os
import re
from enum import Enum, StrEnum

from clamp_analytics.path_names import INSIDE, EscapedName, path_of
from clamp_analytics.sources.containers.limits import RefusedError

ENDING = ".json"
MANIFEST = "clamp_export.json"
"""The file that makes a folder an export; it is written last."""

DELTA_LOG = "sessions/_delta_log"
"""The folder that makes a folder a Delta archive: the log of its table of sessions."""

NOT_SESSIONS = frozenset({"telemetry_summary.json", "rocm_snapshot.json", MANIFEST})
"""Names of files beside sessions that are not sessions; they are read only if the user names them."""

NAME_BOUND = 4096
"""Characters of a member's name: what Linux allows a path."""


class Codec(StrEnum):
    """How a stream is compressed."""

    NONE = "none"
    GZIP = "gzip"
    XZ = "xz"
    ZSTD = "zstd"


class Form(StrEnum):
    """What a container is once it is decompressed."""

    ZIP = "zip"
    TAR = "tar"
    SESSION = "session"


ENDINGS: dict[str, tuple[Form, Codec]] = {
    ".zip": (Form.ZIP, Codec.NONE),
    ".tar": (Form.TAR, Codec.NONE),
    ".tar.gz": (Form.TAR, Codec.GZIP),
    ".tgz": (Form.TAR, Codec.GZIP),
    ".tar.xz": (Form.TAR, Codec.XZ),
    ".tar.zst": (Form.TAR, Codec.ZSTD),
    ".json.gz": (Form.SESSION, Codec.GZIP),
    ".json.zst": (Form.SESSION, Codec.ZSTD),
}
"""The endings of containers."""

CONTAINER_ENDINGS = tuple(ENDINGS)

READ_ENDINGS = (ENDING, *CONTAINER_ENDINGS)
"""The endings of files that are read in folders."""

SHRINKS = 16
"""About how many times smaller packed telemetry is; batches are planned by that."""

COMPRESSED_ENDINGS = tuple(ending for ending, (form, _) in ENDINGS.items() if form is Form.SESSION)
"""The endings of compressed session files."""

_MAGIC = {
    b"PK\x03\x04": "a zip",
    b"PK\x05\x06": "a zip",
    b"\x1f\x8b\x08": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_TAR_MAGIC_AT = 257
HEAD_BYTES = 512
"""How many bytes show what a file is."""


class MemberKind(Enum):
    """What a member is according to its name."""

    SESSION = "session"
    COMPRESSED = "compressed"
    CONTAINER = "container"
    OTHER = "other"
    """Not read; the reason says why."""
    NOT_ASKED = "not asked for"
    """Not read and not counted: another member was named."""


def format_of(head: bytes | bytearray) -> str:
    """The format that the first bytes of a file indicate, such as ``a zip``; empty where they indicate none."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    if _SKIPPABLE.match(head):
        return "zstd"
    return "a tar" if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar" else ""


def ending_of(path: str) -> str:
    """The ending of a container's name; empty for other names."""
    return next((ending for ending in CONTAINER_ENDINGS if path.endswith(ending)), "")


def is_container(path: str) -> bool:
    """Whether a name is that of a container."""
    return path.endswith(CONTAINER_ENDINGS)


def is_not_session(name: str) -> bool:
    """Whether a file name, compressed or not, is known to be something else than a session."""
    return name in NOT_SESSIONS or (is_container(name) and name.rpartition(".")[0] in NOT_SESSIONS)


def split_member(path: str) -> tuple[str, str] | None:
    """A path of a member as the path of its container and the name in it; None where it is a plain path.

    A path that exists is a plain path, whatever it looks like.
    """
    if isinstance(path, EscapedName):
        container, inside, member = path.partition(INSIDE)
        return (path_of(container), member) if inside else None
    if INSIDE not in path or os.path.lexists(path):
        return None
    at = path.find(INSIDE)
    while at >= 0:
        outer, member = path[:at], path[at + len(INSIDE) :]
        # A compressed session file is a member itself, and has none.
        if member and is_container(outer) and not outer.endswith(COMPRESSED_ENDINGS) and os.path.isfile(outer):
            return outer, member
        at = path.find(INSIDE, at + 1)
    return None


def safe_name(name: str) -> str:
    """A member's name without ``.`` and empty parts.

    Raises:
        RefusedError: the name leads out of the container, or means different paths on different systems.
    """
    shown = name if len(name) <= 200 else name[:199] + "…"
    if len(name) > NAME_BOUND:
        raise RefusedError(f"the name of a member is too long: {shown!r}")
    if "\0" in name:
        raise RefusedError(f"the name of a member holds a NUL: {shown!r}")
    if name[:1] in ("/", "\\") or name[1:2] == ":":
        raise RefusedError(f"the name of a member is absolute: {shown!r}")
    if ".." in re.split(r"[/\\]", name):
        raise RefusedError(f"the name of a member leads out of the container: {shown!r}")
    return "/".join(part for part in name.split("/") if part not in ("", "."))


class MemberFilter:
    """Classifies members by their names, and refuses two of one name.

    Args:
        only: the only member, folder or inner container that is asked for; empty for all.
    """

    def __init__(self, only: str = "") -> None:
        self.only = only
        self._seen: set[str] = set()

    def classify(self, raw_name: str) -> tuple[str, MemberKind, str]:
        """A member's name, its kind, and the reason if it is skipped.

        Raises:
            RefusedError: the name leads out of the container, or occurs twice.
        """
        name = safe_name(raw_name)
        kind, reason = classify_name(name)
        if self.only:
            if name == self.only and kind is MemberKind.OTHER:
                kind = MemberKind.SESSION
            elif name != self.only and not name.startswith(self.only + "/"):
                kind = kind if kind is MemberKind.CONTAINER and self.rest(name) else MemberKind.NOT_ASKED
        if kind in (MemberKind.OTHER, MemberKind.NOT_ASKED):
            return name, kind, reason
        if "\\" in name:
            raise RefusedError(f"the name of a member holds a backslash: {name!r}")
        if name in self._seen:
            raise RefusedError(f"two members have one name: {name!r}")
        self._seen.add(name)
        return name, kind, ""

    def rest(self, name: str) -> str:
        """What is asked for inside of an inner container; empty for all."""
        return self.only.removeprefix(name + INSIDE) if self.only.startswith(name + INSIDE) else ""


def classify_name(name: str) -> tuple[MemberKind, str]:
    """The kind of a file by its name, with the folders above it, and the reason if it is skipped."""
    parts = name.split("/")
    if any(part.startswith(".") for part in parts):
        return MemberKind.OTHER, "hidden"
    if is_not_session(parts[-1]):
        return MemberKind.OTHER, "not a session by its name"
    if name.endswith(ENDING):
        return MemberKind.SESSION, ""
    if ending := ending_of(name):
        return (MemberKind.COMPRESSED if ENDINGS[ending][0] is Form.SESSION else MemberKind.CONTAINER), ""
    return MemberKind.OTHER, "other ending"
