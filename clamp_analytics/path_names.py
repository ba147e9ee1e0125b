"""Paths as text: any path as valid Unicode, reversibly, so that no two paths have the same name in a table."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Container
from contextlib import suppress

INSIDE = "!/"
"""Separates a container from its member: ``artifact.zip!/telemetry/x.json``."""

TAG_DIGITS = 12
"""Digits of the hash that follow ``#`` in the name of a session whose path another session has."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPED = r"[\ud800-\udfff]|x[0-9a-f]{2}|u[0-9a-f]{4}"
_TO_ESCAPE = re.compile(rf"\\+(?={_ESCAPED})|[\ud800-\udfff]")
_TAG = rf"#[0-9a-f]{{{TAG_DIGITS}}}\Z"
_TO_ESCAPE_IN_SOURCES = re.compile(rf"\\+(?={_ESCAPED}|!/|{_TAG})|[\ud800-\udfff]|!(?=/)|#(?={_TAG[1:]})")
_ESCAPE = re.compile(r"(\\+)(x[0-9a-f]{2}|u[0-9a-f]{4})")


class EscapedName(str):
    """The name of a container or member: a path that is escaped already, and is not escaped a second time."""

    __slots__ = ()


def display_name(path: str | os.PathLike[str]) -> str:
    r"""A path as valid Unicode, for messages.

    A byte that is not UTF-8 becomes an escape such as ``\xff``. Backslashes are doubled where an escape follows, or a
    text that looks like one.
    """
    return _escaped(path, _TO_ESCAPE)


def escape_surrogates(text: str) -> str:
    r"""A text that contains paths, as valid Unicode: a byte that is not UTF-8 becomes an escape such as ``\xff``."""
    return _SURROGATE.sub(_escape, text)


def source_name(path: str | os.PathLike[str]) -> str:
    r"""The value of ``source`` for a file; no two files have the same.

    In addition to what ``display_name`` escapes, ``!/`` becomes ``\x21/`` in the path of a file, so that it separates
    nothing but a container and its member, and a path that ends like a tag of ``unique_name`` gets ``\x23`` for ``#``.
    """
    return _escaped(path, _TO_ESCAPE_IN_SOURCES)


def is_its_own_name(paths: str) -> bool:
    """Whether a path, or each of several joined ones, has no character that ``source_name`` may escape."""
    return paths.isascii() and "\\" not in paths and INSIDE not in paths and "#" not in paths


def unique_name(name: str, digest: str, taken: Container[str]) -> str:
    """The value of ``source`` for a session that others may have: where it is taken, it gets a tag.

    Args:
        name: the ``source`` of its file.
        digest: the SHA-256 of its bytes, or of something else that is its own, in hexadecimal.
        taken: the values of ``source`` of other sessions.
    """
    unique = name
    while unique in taken:
        unique = f"{name}#{digest[:TAG_DIGITS]}"
        # The first digits of two hashes can be equal.
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return unique


def member_name(container: str, member: str) -> EscapedName:
    """The value of ``source`` for a member of the container that has this ``source``."""
    return EscapedName(container + INSIDE + source_name(member))


def _escaped(path: str | os.PathLike[str], to_escape: re.Pattern[str]) -> str:
    if isinstance(path, EscapedName):
        return str(path)
    text = os.fspath(path)
    if is_its_own_name(text):
        return text
    # Surrogates that stand for no byte cannot be encoded, and are escaped as they are.
    with suppress(UnicodeEncodeError):
        text = os.fsencode(text).decode("utf-8", "surrogateescape")
    return to_escape.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if found[0] == "\\":
        return found * 2
    code = ord(found)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def path_of(name: str) -> str:
    """The path that has this name."""
    return _ESCAPE.sub(_unescape, name)


def _unescape(match: re.Match[str]) -> str:
    backslashes, text = match[1], match[2]
    literal = backslashes[: len(backslashes) // 2]
    if len(backslashes) % 2 == 0:
        return literal + text
    code = int(text[1:], 16)
    return literal + chr(code + 0xDC00 if 0x80 <= code < 0x100 else code)
