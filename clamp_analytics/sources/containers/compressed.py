"""Compressed session files, and the check that a container is what its name says."""

from __future__ import annotations

import io

from clamp_analytics.sources.containers.codecs import PIECE_BYTES, Raw, stream_of
from clamp_analytics.sources.containers.limits import Budget, ContainerLimits, DamagedError, MismatchError
from clamp_analytics.sources.names import ENDINGS, HEAD_BYTES, Codec, Form, ending_of, format_of

_WORDS = {Form.ZIP: "a zip", Form.TAR: "a tar"}


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
