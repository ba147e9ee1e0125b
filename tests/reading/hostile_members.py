"""Session documents that take far more memory than they have bytes, unless reading is careful."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import json_text, record

RECORD = json_text(record())


def repeated(piece: str, size: int, before: str = "", after: str = "", between: str = ",") -> bytes:
    """``piece`` again and again up to a size, with something around it."""
    times = (size - len(before) - len(after)) // len(piece + between)
    return (before + between.join([piece] * times) + after).encode()


def numbered(form: str, size: int, before: str, after: str) -> bytes:
    """Pieces with a number in each, which makes all of them different."""
    times = (size - len(before) - len(after)) // len(form.format(10_000_000) + ",")
    return (before + ",".join(form.format(10_000_000 + n) for n in range(times)) + after).encode()


OPEN, CLOSE = '{"stability_score":1,"records":[', "]}"
DEEP = "[" * 300 + "]" * 300

KINDS: dict[str, Callable[[int], bytes]] = {
    "empty records": lambda size: repeated("{}", size, OPEN, CLOSE),
    "records of one field": lambda size: repeated('{"seed":1}', size, OPEN, CLOSE),
    "records of one unknown field": lambda size: repeated('{"a":1}', size, OPEN, CLOSE),
    "records of unknown fields that differ": lambda size: numbered('{{"a{}":1}}', size, OPEN, CLOSE),
    "numbers as records": lambda size: repeated("1", size, OPEN, CLOSE),
    "arrays as records": lambda size: repeated("[]", size, OPEN, CLOSE),
    "records with a wrong score": lambda size: repeated(RECORD.replace('score":1', 'score":2'), size, OPEN, CLOSE),
    "records in flight": lambda size: repeated(RECORD.replace('"2026-01-01T00:00:01Z"', "null"), size, OPEN, CLOSE),
    "seeds of 65 bits": lambda size: repeated(RECORD.replace('"seed":7', f'"seed":{2**64}'), size, OPEN, CLOSE),
    "arrays in an unknown field": lambda size: repeated("[]", size, '{"x":[', f"],{OPEN[1:]}{CLOSE}"),
    "arrays in a field of a record": lambda size: repeated("[]", size, f'{OPEN}{{"x":[', "]}" + CLOSE),
    "a long text beside a deep nesting": lambda size: repeated("a", size, '{"x":"', f'","y":{DEEP}}}', ""),
    "a long text beside NaN": lambda size: repeated("a", size, '{"x":"', '","y":NaN}', ""),
    "a long text of escapes": lambda size: repeated("\\ud83d\\ude00", size, f'{OPEN}{{"context":"', '"}' + CLOSE, ""),
    "a long text that ends nowhere": lambda size: repeated("a", size, '{"x":"', "", ""),
    "a long text that is not UTF-8": lambda size: (
        repeated("\xff", size // 2, f'{OPEN}{{"context":"', '"}' + CLOSE, "").decode().encode("latin-1")
    ),
    "many quotes": lambda size: repeated('\\"', size, '{"x":"', '","y":NaN}', ""),
    "many keys at the top": lambda size: numbered('"k{}":1', size, "{", f",{OPEN[1:]}{CLOSE}}}"),
    "many keys in a record": lambda size: numbered('"k{}":1', size, OPEN + "{", "}" + CLOSE),
    "one key again and again": lambda size: repeated('"a":1', size, OPEN + "{", "}" + CLOSE),
    "a long key": lambda size: repeated("k", size, f'{OPEN}{{"', '":1}' + CLOSE, ""),
    "a long number": lambda size: repeated("9", size, f'{OPEN}{{"duration_ms":', "}" + CLOSE, ""),
    "a long seed": lambda size: repeated("9", size, f'{OPEN}{{"seed":', "}" + CLOSE, ""),
    "blanks": lambda size: repeated(" ", size, "{", '"a" 1}', ""),
    "many siblings": lambda size: repeated("{}", size, '{"x":[', f"],{DEEP}}}"),
    "many brackets in a text": lambda size: repeated("[", size, '{"x":"', '"}', ""),
    "a byte order mark": lambda size: b"\xef\xbb\xbf" + repeated("{}", size, OPEN, CLOSE),
    "records after a long field": lambda size: repeated("{}", size, '{"x":"' + "a" * 100_000 + '","records":[', CLOSE),
}
"""The kinds, each as a function of the size in bytes."""
