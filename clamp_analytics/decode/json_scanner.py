"""Where things stand in a JSON text: spans of members and elements, and the place of a syntax error.

The scanner works on the bytes as Latin-1, in which a position in the text is a position in the file. Only the
spans are used from it; a value is decoded from its own bytes, as UTF-8.
"""

from __future__ import annotations

import json
import json.decoder
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

Document: TypeAlias = bytes | bytearray
"""The bytes of one session, as they were read or in a buffer that is used again."""

# The standard library's own pieces; its type stubs leave them out.
_decoder: Any = json.decoder
DEPTH_BOUND = 250
"""Arrays and objects inside each other that are followed; far below what any interpreter does."""

_SIBLINGS = re.compile(rb"\}\s*,\s*\{")
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*"?|([\[{])|[\]}]', re.DOTALL)
_DECIMAL_COMMA = re.compile(rb"[0-9],[0-9]")
_BLANK = re.compile(r"[ \t\n\r]*")
_CUT_VALUE = re.compile(r"(?:-|\.|(?:\.[0-9]+)?[eE][+-]?|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?)?\Z")
_CUT_ESCAPE = re.compile(r"\\?u?[0-9a-fA-F]{0,4}\Z")


class MalformedError(Exception):
    """The text is not JSON from ``offset`` on; ``cut`` where it ends too early instead."""

    def __init__(self, why: str, offset: int, *, cut: bool) -> None:
        self.why, self.offset, self.cut = why, offset, cut
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Member:
    """A key of an object and where its value stands.

    Attributes:
        key: the key; what no Unicode text can hold in it became an escape.
        start: where the value starts.
        end: where it ends.
        altered: whether the key holds an escape that did not stand there.
    """

    key: str
    start: int
    end: int
    altered: bool = False


class Scanner:
    """Walks over one JSON text.

    Raises:
        MalformedError: from each method, where the text is not JSON.
        RecursionError: from each method, where it is nested deeper than the interpreter follows.
    """

    def __init__(self, data: Document) -> None:
        self.data = data
        self._text = data.decode("latin-1")
        # Numbers stay text: their values do not matter here, and a million digits must not cost anything.
        self._scan = _decoder.JSONDecoder(parse_float=str, parse_int=str, parse_constant=self._constant).scan_once
        self._at = 0

    def document(self) -> int:
        """Start of the document's value."""
        return self._blank(0)

    def finish(self, end: int) -> None:
        """Check that nothing but blanks follows ``end``."""
        at = self._blank(end)
        if at != len(self._text):
            self._fail("something follows the end of the document", at)

    def members(self, start: int) -> Iterator[Member]:
        """The members of the object that starts at ``start``; afterwards ``end`` is known."""
        at = self._blank(start + 1)
        if self._peek(at) == "}":
            self.end = at + 1
            return
        while True:
            if self._peek(at) != '"':
                self._fail("a key in quotes is expected", at)
            key_end = self._string_end(at)
            key, altered = _key_of(self.data[at:key_end])
            at = self._blank(key_end)
            if self._peek(at) != ":":
                self._fail("a colon is expected", at)
            begin = self._blank(at + 1)
            stop = self.value_end(begin)
            yield Member(key, begin, stop, altered)
            at = self._blank(stop)
            if self._peek(at) == "}":
                self.end = at + 1
                return
            if self._peek(at) != ",":
                self._fail("a comma or the end of the object is expected", at)
            at = self._blank(at + 1)

    def elements(self, start: int) -> Iterator[tuple[int, int]]:
        """Start and end of each element of the array that starts at ``start``."""
        at = self._blank(start + 1)
        if self._peek(at) == "]":
            return
        while True:
            stop = self.value_end(at)
            yield at, stop
            at = self._blank(stop)
            if self._peek(at) == "]":
                return
            if self._peek(at) != ",":
                self._fail("a comma or the end of the array is expected", at)
            at = self._blank(at + 1)

    def value_end(self, start: int) -> int:
        """End of the value that starts at ``start``."""
        self._at = start
        try:
            end: int = self._scan(self._text, start)[1]
        except StopIteration as stop:
            self._fail("a value is expected", stop.value)
        except json.JSONDecodeError as error:
            self._fail(_in_words(error), error.pos)
        return end

    def _string_end(self, start: int) -> int:
        try:
            end: int = _decoder.scanstring(self._text, start + 1, True)[1]
        except json.JSONDecodeError as error:
            self._fail(_in_words(error), error.pos)
        return end

    def _constant(self, name: str) -> NoReturn:
        # The decoder does not say where it met the constant. Inside strings it does not look, so the first
        # place outside of them is the one.
        plain = re.compile(r'"(?:[^"\\]|\\.)*"|(' + re.escape(name) + ")", re.DOTALL)
        found = next(match.start(1) for match in plain.finditer(self._text, self._at) if match[1])
        self._fail(f"{name} is not a JSON value", found)

    def _blank(self, at: int) -> int:
        match = _BLANK.match(self._text, at)
        return match.end() if match else at

    def _peek(self, at: int) -> str:
        return self._text[at : at + 1]

    def _fail(self, why: str, at: int) -> NoReturn:
        rest = self._text[at : at + 8]
        cut = (
            (len(self._text) - at < 8 and _CUT_VALUE.match(rest) is not None)
            or why.startswith("unterminated")
            or ("escape" in why and _CUT_ESCAPE.match(rest) is not None)
        )
        if not cut and _DECIMAL_COMMA.search(self.data[max(at - 3, 0) : at + 2]):
            why += "; is it a decimal comma?"
        raise MalformedError(why, len(self.data) if cut else at, cut=cut)


def _in_words(error: json.JSONDecodeError) -> str:
    return (error.msg[0].lower() + error.msg[1:]).removesuffix(" at").removesuffix(" starting")


def may_be_deep(data: Document, siblings: int = 0) -> bool:
    """Whether a text may be nested deeper than ``DEPTH_BOUND``; False only where it surely is not.

    What opens before the deepest place, less what closes, is the depth. Between siblings something closes before
    something opens, so each such place takes one off the number of openings.

    Args:
        data: the text.
        siblings: how many such places there are for sure.
    """
    opened = data.count(b"[") + data.count(b"{")
    return opened - siblings > DEPTH_BOUND and opened - len(_SIBLINGS.findall(data)) > DEPTH_BOUND


def is_deep(data: Document) -> bool:
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


def text_of(raw: Document) -> str:
    """A JSON text for a report: what is not UTF-8 becomes an escape."""
    return raw.decode("utf-8", "backslashreplace")


def is_utf8(raw: Document) -> bool:
    """Whether the bytes are valid UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _key_of(raw: Document) -> tuple[str, bool]:
    """A key without its quotes and escapes, and whether it had to be altered to be Unicode text."""
    if not is_utf8(raw):
        return text_of(raw[1:-1]), True
    key: str = json.loads(raw)
    text = key.encode("utf-8", "backslashreplace").decode()
    return text, text != key
