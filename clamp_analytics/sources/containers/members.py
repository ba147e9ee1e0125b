"""The contents of a container: members, some of which are read later, rejected members, and counts of skipped ones."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from clamp_analytics.path_names import EscapedName
from clamp_analytics.sources.containers import zips
from clamp_analytics.sources.containers.codecs import PIECE_BYTES, Raw, stream_of
from clamp_analytics.sources.containers.limits import Budget, ContainerLimits, DamagedError, MismatchError
from clamp_analytics.sources.files import UnreadableError, open_regular, reason_of
from clamp_analytics.sources.names import ENDINGS, HEAD_BYTES, Codec, Form, ending_of, format_of

_WORDS = {Form.ZIP: "a zip", Form.TAR: "a tar"}


class Member(NamedTuple):
    """A session file in a container, or a compressed session file.

    Attributes:
        source: its name: ``artifact.zip!/telemetry/x.json``.
        data: its bytes.
    """

    source: EscapedName
    data: bytes


class Rejected(NamedTuple):
    """A container, or one member of it, that is not read.

    Attributes:
        source: its name.
        rule: the rule that it breaks.
        why: what is wrong, as a part of a sentence.
    """

    source: EscapedName
    rule: str
    why: str


class Skipped(NamedTuple):
    """How many entries were skipped, by reason."""

    skipped: Counter[str]


@dataclass(frozen=True, slots=True)
class LazyMember:
    """A member that is read later, possibly in another process.

    Attributes:
        source: its name.
        path: the file on disk.
        size: its approximate size in bytes.
        member: which member of a zip it is; None for a compressed session file.
        limits: how large it may be.
    """

    source: EscapedName
    path: str
    size: int
    member: zips.ZipEntry | None
    limits: ContainerLimits

    def read(self, container: Raw | None = None) -> bytes:
        """Its bytes.

        Args:
            container: the container, if it is open; else the file on disk is opened.

        Raises:
            UnreadableError: they are damaged, or too many.
        """
        with nullcontext(container) if container else open_regular(self.path) as raw:
            try:
                if self.member is not None:
                    return zips.read_member(zips.RandomAccessFile(raw), self.member)
                return read_session(self.path, raw, self.limits)
            except OSError as error:
                raise UnreadableError(reason_of(error)) from error


def check_head(raw: Raw, form: Form, codec: Codec) -> None:
    """Check that a file is what its name says.

    Raises:
        MismatchError: it is something else.
        DamagedError: it is empty.
    """
    raw.seek(0)
    head = raw.read(HEAD_BYTES) or b""
    if not head:
        raise DamagedError("it is empty")
    found, expected = format_of(head), _WORDS[form] if codec is Codec.NONE else codec.value
    if found == expected or (form is Form.TAR and codec is Codec.NONE and not found):
        # Tars of before 1988 have no mark; the checksum of the first header tells.
        return
    raise MismatchError(f"its name says {expected}, and its bytes say {found or 'something else'}")


def read_session(name: str, raw: Raw, limits: ContainerLimits, shared: Budget | None = None) -> bytes:
    """The bytes of a compressed session file.

    Raises:
        UnreadableError: it is damaged, no such file, or too large.
    """
    form, codec = ENDINGS[ending_of(name)]
    packed_bytes = raw.seek(0, io.SEEK_END)
    check_head(raw, form, codec)
    parts: list[bytes] = []
    size = 0
    stream = stream_of(raw, codec, Budget(limits, packed_bytes))
    while part := stream.upto(PIECE_BYTES):
        size += len(part)
        Budget(limits, packed_bytes).check_member("it", size)
        if size <= limits.kept_bytes:
            parts.append(part)
        else:
            parts.clear()
    if shared is not None:
        shared.take(size)
    if size <= limits.kept_bytes:
        return b"".join(parts)
    return stream_of(raw, codec, Budget(limits, packed_bytes)).upto(size)
