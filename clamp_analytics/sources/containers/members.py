"""What a container turns out to hold: members, some of them to be read later, and what is rejected or passed over."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from clamp_analytics.path_names import EscapedName
from clamp_analytics.sources.containers import zips
from clamp_analytics.sources.containers.codecs import PIECE_BYTES, Raw, stream_of
from clamp_analytics.sources.containers.limits import Budget, ContainerLimits, DamagedError, MismatchError
from clamp_analytics.sources.files import UnreadableError, open_regular, reason_of
from clamp_analytics.sources.names import ENDINGS, HEAD_BYTES, Codec, Form, ending_of, format_of

KEPT_BYTES = 64_000_000
"""What a stream holds is kept up to here until its end is known to be sound; of more, it is read twice."""

_WORDS = {Form.ZIP: "a zip", Form.TAR: "a tar"}


class Member(NamedTuple):
    """A session file inside of a container, or a compressed one.

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
    """What was passed over, by reason, as in a folder."""

    skipped: Counter[str]


@dataclass(frozen=True, slots=True)
class LazyMember:
    """A member that is read later, maybe in another process.

    Attributes:
        source: its name.
        path: the file on disk.
        size: about how many bytes it has.
        member: which member of a zip it is; None for a compressed session file.
        limits: how much it may unpack to.
    """

    source: EscapedName
    path: str
    size: int
    member: zips.Member | None
    limits: ContainerLimits

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            UnreadableError: they are damaged, or too many.
        """
        with open_regular(self.path) as raw:
            try:
                if self.member is not None:
                    return zips.read_member(zips.FilePlace(raw), self.member)
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
        if size <= KEPT_BYTES:
            parts.append(part)
        else:
            parts.clear()
    if shared is not None:
        shared.take(size)
    if size <= KEPT_BYTES:
        return b"".join(parts)
    return stream_of(raw, codec, Budget(limits, packed_bytes)).upto(size)
