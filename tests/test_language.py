"""Plain English: vague words and private ones stay out of code, tests and documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

INSTEAD = {
    r"told(?! apart)": "given or reported",
    r"stood|stands(?! for| in for)": "is",
    r"settled?|settles|settling": "reconcile, flush or resolve",
    r"places?(?<!in place)(?<!decimal places)": "path, index, row or position",
    r"looks? at|looked at": "read, check or examine",
    r"put beside": "attach or compare",
    r"bec[ao]mes? of": "the outcome",
    r"made of": "built from",
    r"in words": "as text",
    r"one row an?": "one row per",
    r"(?<!there )(?:is|are|was|were) no(?= [a-z])(?! longer)": "is not a",
    r"desk|sieve|keeper|deferral|wish": "reader, filter, background writer or request",
}
"""Regular expressions of words that are not used, and what is written instead."""

WORDS = {re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE): instead for words, instead in INSTEAD.items()}

FOLDERS = (
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "action.yml"),
    *("benchmarks", "clamp_analytics", "docs", "fuzz", "mutation", "sql", "tests"),
)
ENDINGS = {".py", ".sql", ".md", ".yml", ".js", ".css", ".html"}


def files(name: str) -> Iterator[Path]:
    """The texts below a folder, or the one of this name; this file has the words as data."""
    path = ROOT / name
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    yield from (one for one in found if one.suffix in ENDINGS and one != Path(__file__))


def unwanted(text: str) -> Iterator[tuple[int, str, str]]:
    """The line, the word and its replacement, for every unwanted word; names with underscores are read as words."""
    for number, line in enumerate(text.replace("_", " ").splitlines(), 1):
        for words, instead in WORDS.items():
            yield from ((number, match[0], instead) for match in words.finditer(line))


@pytest.mark.parametrize("folder", FOLDERS)
def test_text_is_plain_english(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}, line {number}: for {word!r} write {instead}"
        for path in files(folder)
        for number, word, instead in unwanted(path.read_text("utf-8"))
    ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    ["What it was told.", "def test_it_is_no_session", "One row a record", "a place", "what becomes of it"],
)
def test_an_unwanted_word_is_found(text: str) -> None:
    assert len(list(unwanted(text))) == 1


@pytest.mark.parametrize(
    "text", ["rewritten in place", "there is no file", "it is no longer there", "can be told apart", "CI stands for"]
)
def test_the_same_word_in_its_plain_meaning_is_accepted(text: str) -> None:
    assert list(unwanted(text)) == []
