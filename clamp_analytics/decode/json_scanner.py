"""Offsets in a JSON text: where keys, values and elements begin and end, and where the first syntax error is.

The scanner reads the bytes as Latin-1, in which an offset in the text is an offset in the file. It builds no values,
whatever the text holds; a value is decoded from its own bytes, as UTF-8.
"""

from __future__ import annotations

import json
import json.decoder
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

# The standard library's own scanner; its type stubs leave it out.
_decoder: Any = json.decoder
DEPTH_BOUND = 250
"""Arrays and objects inside each other that are followed; far below what any interpreter does."""

VALUE_BOUND = 200
"""Characters of a faulty value that a violation keeps."""

_SHORT_CHARS = 4096
"""A value up to this length is scanned by the standard library, which is fast and builds objects."""

_SHORT_LEVELS = 8
"""Below so many levels no value is tried as a short one, because each try costs the whole length."""

# Possessive quantifiers: a backtracking repeat would take 100 bytes of memory for each character that it passes.
_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"')
_NESTING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([\[{])|[\]}]', re.DOTALL)
_SIBLINGS = re.compile(rb"\}\s*+,\s*+\{")
_DECIMAL_COMMA = re.compile(r"[0-9],[0-9]")
_BLANK = re.compile(r"[ \t\n\r]*")
_CUT_VALUE = re.compile(r"(?:-|\.|[eE][+-]?|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?)?\Z")
_CUT_ESCAPE = re.compile(r"\\?u?[0-9a-fA-F]{0,4}\Z")


class MalformedError(Exception):
    """The text is not JSON from ``offset`` on; ``cut`` where it ends too early instead."""

    def __init__(self, why: str, offset: int, *, cut: bool) -> None:
        self.why, self.offset, self.cut = why, offset, cut
        super().__init__(why)


class _ConstantError(Exception):
    """A value is NaN or an infinity, which JSON does not have."""


@dataclass(frozen=True, slots=True)
class KeyValueSpan:
    """A key of an object and the offsets of its value.

    Attributes:
        key: the key; bytes and surrogates that are not Unicode text are escaped.
        start: the offset of the value's first byte.
        end: the offset after its last byte.
        altered: whether the key had to be escaped.
    """

    key: str
    start: int
    end: int
    altered: bool


class Scanner:
    """Walks over one JSON text.

    Raises:
        MalformedError: from each method, where the text is not JSON.
        RecursionError: from each method, where it is nested deeper than the interpreter follows.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._text = data.decode("latin-1")
        # Numbers stay text: their values do not matter here, and a million digits must not cost anything.
        self._scan = _decoder.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant).scan_once

    def document(self) -> int:
        """The offset of the document's value."""
        return self._blank(0)

    def finish(self, end: int) -> None:
        """Check that nothing but blanks follows ``end``."""
        at = self._blank(end)
        if at != len(self._text):
            self._fail("something follows the end of the document", at)

    def members(self, start: int) -> Iterator[KeyValueSpan]:
        """The members of the object that starts at ``start``; afterwards ``end`` is known."""
        at = self._blank(start + 1)
        if self._peek(at) == "}":
            self.end = at + 1
            return
        while True:
            key_end, begin = self._key(at)
            key, altered = _key_of(self.data[at:key_end])
            stop = self.value_end(begin)
            yield KeyValueSpan(key, begin, stop, altered)
            at = self._blank(stop)
            if self._peek(at) == "}":
                self.end = at + 1
                return
            if self._peek(at) != ",":
                self._fail("a comma or the end of the object is expected", at)
            at = self._blank(at + 1)

    def elements(self, start: int) -> Iterator[tuple[int, int]]:
        """Start and end of each element of the array that starts at ``start``."""
        at = self.first_element(start)
        while at is not None:
            stop = self.value_end(at)
            yield at, stop
            at = self.next_element(stop)

    def first_element(self, start: int) -> int | None:
        """Start of the first element of the array that starts at ``start``; None where the array is empty."""
        at = self._blank(start + 1)
        return None if self._peek(at) == "]" else at

    def next_element(self, end: int) -> int | None:
        """Start of the element that follows the one that ends at ``end``; None at the end of the array."""
        at = self._blank(end)
        if self._peek(at) == "]":
            return None
        if self._peek(at) != ",":
            self._fail("a comma or the end of the array is expected", at)
        return self._blank(at + 1)

    def value_end(self, start: int) -> int:
        """End of the value that starts at ``start``."""
        closers: list[str] = []
        at = start
        while True:
            end = self._simple_end(at, len(closers))
            if end is None:
                closers.append("}" if self._peek(at) == "{" else "]")
                at = self._blank(at + 1)
                if self._peek(at) != closers[-1]:
                    at = self._value_start(at, closers[-1])
                    continue
                end = at + 1
                closers.pop()
            while closers:
                at = self._blank(end)
                mark = self._peek(at)
                if mark == ",":
                    at = self._value_start(self._blank(at + 1), closers[-1])
                    break
                if mark != closers[-1]:
                    self._fail("a comma or the end of the object or array is expected", at)
                closers.pop()
                end = at + 1
            else:
                return end

    def _simple_end(self, start: int, level: int) -> int | None:
        """End of a string, a number, a name, or a short object or array; None of a long one."""
        first = self._peek(start)
        if first == '"':
            return self._string_end(start)
        if first in ("{", "["):
            return self._short_end(start) if level < _SHORT_LEVELS else None
        try:
            end: int = self._scan(self._text, start)[1]
        except StopIteration:
            self._fail("a value is expected", start)
        except _ConstantError as error:
            self._fail(f"{error} is not a JSON value", start)
        return end

    def _short_end(self, start: int) -> int | None:
        """End of an object or array; None where it is long or has a fault."""
        try:
            end: int = self._scan(self._text[start : start + _SHORT_CHARS], 0)[1]
        except (StopIteration, json.JSONDecodeError, _ConstantError):
            return None
        return start + end

    def _value_start(self, at: int, closer: str) -> int:
        """Start of the next value of an object or array, which is behind its key in an object."""
        return self._key(at)[1] if closer == "}" else at

    def _key(self, at: int) -> tuple[int, int]:
        """End of the key that starts here, and start of its value."""
        if self._peek(at) != '"':
            self._fail("a key in quotes is expected", at)
        end = self._string_end(at)
        colon = self._blank(end)
        if self._peek(colon) != ":":
            self._fail("a colon is expected", colon)
        return end, self._blank(colon + 1)

    def _string_end(self, start: int) -> int:
        if match := _STRING.match(self._text, start):
            return match.end()
        try:
            # The pattern matches every text without a fault.
            _, end = _decoder.scanstring(self._text, start + 1)
        except json.JSONDecodeError as error:
            self._fail(_reason_of(error), error.pos)
        return int(end)

    def _blank(self, at: int) -> int:
        match = _BLANK.match(self._text, at)
        return match.end() if match else at

    def _peek(self, at: int) -> str:
        return self._text[at : at + 1]

    def _fail(self, why: str, at: int) -> NoReturn:
        cut = (
            _CUT_VALUE.match(self._text, at) is not None
            or why.startswith("unterminated")
            or ("escape" in why and _CUT_ESCAPE.match(self._text, at) is not None)
        )
        if not cut and _DECIMAL_COMMA.fullmatch(self._text[at - 2 : at + 1]):
            why += "; is it a decimal comma?"
        raise MalformedError(why, len(self.data) if cut else at, cut=cut)


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


def _reason_of(error: json.JSONDecodeError) -> str:
    return (error.msg[0].lower() + error.msg[1:]).removesuffix(" at").removesuffix(" starting")


def may_be_deep(data: bytes, siblings: int = 0) -> bool:
    """Whether a text may be nested deeper than ``DEPTH_BOUND``; False only where it is certainly not.

    The depth at the deepest point is what was opened before it, less what was closed. Between two siblings something
    is closed before something is opened, so each pair of siblings takes one off the number of openings.

    Args:
        data: the text.
        siblings: how many pairs of siblings it has at least.
    """
    opened = data.count(b"[") + data.count(b"{")
    return opened - siblings > DEPTH_BOUND and opened - sum(1 for _ in _SIBLINGS.finditer(data)) > DEPTH_BOUND


def is_deep(data: bytes) -> bool:
    """Whether a text is nested deeper than ``DEPTH_BOUND``, up to where it stops being JSON."""
    if not may_be_deep(data):
        return False
    depth = 0
    for match in _NESTING.finditer(data):
        if match[0][:1] != b'"':
            depth += 1 if match[1] else -1
            if depth > DEPTH_BOUND:
                return True
    return False


def text_of(raw: bytes) -> str:
    """A JSON text for a report; bytes that are not UTF-8 are escaped."""
    return raw.decode("utf-8", "backslashreplace")


def excerpt(data: bytes, start: int, end: int) -> str:
    """The text between two offsets for a report, cut to ``VALUE_BOUND`` characters."""
    # A character has four bytes at most, so no more of a long text needs to be decoded.
    return shorten(text_of(data[start : min(end, start + 4 * (VALUE_BOUND + 1))]))


def shorten(text: str) -> str:
    """A text for a report, cut to ``VALUE_BOUND`` characters."""
    return text if len(text) <= VALUE_BOUND else text[: VALUE_BOUND - 1] + "…"


def is_utf8(raw: bytes) -> bool:
    """Whether the bytes are valid UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _key_of(raw: bytes) -> tuple[str, bool]:
    """A key without its quotes and escapes, and whether it had to be altered to be Unicode text."""
    if not is_utf8(raw):
        return text_of(raw[1:-1]), True
    key: str = json.loads(raw)
    text = key.encode("utf-8", "backslashreplace").decode()
    return text, text != key
