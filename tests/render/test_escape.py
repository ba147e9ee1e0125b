"""Hostile text has no effect where it is shown."""

import sys
import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clamp_analytics.render.escape import (
    for_github_annotation_message,
    for_github_annotation_property,
    for_markdown,
    for_terminal,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))
HOSTILE_TEXT = st.text(st.sampled_from("ab1 |`\\*_[]()<>&#@!~:/.$-\n\r\x1b\u202e")) | ANY_TEXT
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x00\x7f", r"\x00\x7f"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("a\u200bb\ufeff\xad", r"a\u200bb\ufeff\xad"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\udc80", r"\udc80"),
        ("\U000e0041", r"\U000e0041"),
        ("\ufffe\uffff", r"\ufffe\uffff"),
    ],
)
def test_what_steers_a_terminal_or_is_not_seen_becomes_an_escape(text, shown):
    assert for_terminal(text) == shown


@pytest.mark.parametrize(
    "text", ["plain", "Zürich", "データ", "اللغة", "e\u0301", "😀", "❤️", "C:\\dir", "a::b", "#[x]"]
)
def test_ordinary_text_of_every_script_stays(text):
    assert for_terminal(text) == text


@pytest.mark.parametrize("text", ["👩\u200d💻", "🏳️\u200d🌈", "👩🏽\u200d🚀", "नि\u200cक"])
def test_a_joiner_stays_where_a_script_or_an_emoji_needs_it(text):
    assert for_terminal(text) == text


@pytest.mark.parametrize("text", ["ad\u200dmin", "\u200dx", "x\u200c"])
def test_a_joiner_that_hides_in_plain_words_is_shown(text):
    assert "\\u200" in for_terminal(text)


def test_no_runner_takes_a_line_of_text_for_its_command():
    shown = [for_terminal("::stop-commands::x"), for_terminal("a ##[stop-commands]x")]

    assert shown == [r"\x3a:stop-commands::x", r"a \x23#[stop-commands]x"]


def test_no_character_of_a_hidden_category_is_overlooked():
    hidden = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    ]

    assert [char for char in hidden if for_terminal(char) == char] == []


@settings(deadline=None)
@given(ANY_TEXT)
def test_shown_text_is_one_line_of_valid_utf8(text):
    shown = for_terminal(text)

    assert len(shown.splitlines()) == bool(shown)
    assert shown.encode().decode() == shown


@settings(deadline=None)
@given(ANY_TEXT)
def test_shown_text_is_valid_xml(text):
    shown = for_terminal(text)
    element = ET.Element("x", name=shown)
    element.text = shown

    back = ET.fromstring(ET.tostring(element, encoding="utf-8"))
    assert (back.get("name"), back.text or "") == (shown, shown)


@pytest.mark.parametrize(
    "text, cell",
    [
        ("", ""),
        ("The seed is zero.", "The seed is zero."),
        ("stability_score", "stability_score"),
        ("seed-range", "seed-range"),
        ("*bold*", "`*bold*`"),
        ("[x](http://e.vil)", "`[x](http://e.vil)`"),
        ("![x](http://e.vil/i.png)", "`![x](http://e.vil/i.png)`"),
        ("<img src=x>", "`<img src=x>`"),
        ("&lt;", "`&lt;`"),
        ("@team", "`@team`"),
        ("#12", "`#12`"),
        ("GH-12", "`GH-12`"),
        ("www.e.vil", "`www.e.vil`"),
        ("deadbeef", "`deadbeef`"),
        ("a`b", "``a`b``"),
        ("`x`", "`` `x` ``"),
        ("a\nb", r"`a\nb`"),
        ("a|b", "<code>a&#124;b</code>"),
        ("\\|@x", "<code>&#92;&#124;&#64;<!-- -->x</code>"),
    ],
)
def test_a_markdown_cell_is_plain_words_or_code(text, cell):
    assert for_markdown(text) == cell


@settings(deadline=None)
@given(HOSTILE_TEXT)
def test_a_markdown_cell_renders_as_its_text_and_nothing_else(text):
    document = f"| a | b |\n| --- | --- |\n| {for_markdown(text)} | x |\n"

    tokens = MARKDOWN.parse(document)
    cells = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "td_open"]
    assert len(cells) == 2
    parts = cells[0].children
    assert {part.type for part in parts} <= {"text", "code_inline", "html_inline", "text_special"}
    assert {part.content for part in parts if part.type == "html_inline"} <= {"<code>", "</code>", "<!-- -->"}
    rendered = "".join(part.content for part in parts if part.type != "html_inline")
    assert rendered.strip(" ") == for_terminal(text).strip(" ")


def test_an_annotation_message_cannot_end_its_line_or_forge_an_escape():
    assert for_github_annotation_message("50%0A\r\n::error::x") == r"50%250A\r\n::error::x"


def test_an_annotation_property_cannot_end_the_properties():
    assert for_github_annotation_property("a,line=1::b%\n") == r"a%2Cline=1%3A%3Ab%25\n"
