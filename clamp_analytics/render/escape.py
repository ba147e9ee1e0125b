r"""Escape untrusted text for its destination: a terminal, Markdown, or a command of a CI runner.

The escapes are for reading and are not reversible: text that contains the characters ``\x1b`` looks like an escape.
JSON, CSV and Parquet have the exact value.
"""

from __future__ import annotations

import re
import unicodedata

# Everything that steers a terminal or is invisible: C0 and C1 controls, format characters (bidirectional overrides,
# isolates and marks, soft hyphens, tags, invisible operators), line and paragraph separators, halves of surrogate
# pairs, and the two non-characters that XML forbids. Ranges, because the categories of `unicodedata` differ from
# one Python to the next and the output must not.
_UNSEEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
# CI runners interpret a line that begins with `::`, or has `##[` anywhere, as a command.
_HARMFUL = re.compile(rf"[{_UNSEEN}]|##\[")
_COMMAND = re.compile(r"(\s*):(?=:)")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_JOINERS = "\u200c\u200d"
_JOINED_BEFORE = frozenset({"So", "Sk", "Lo", "Mn", "Mc"})
_JOINED_AFTER = frozenset({"So", "Lo", "Mn", "Mc"})

# Sentences and identifiers in which no flavour of Markdown recognizes an address, a reference, emphasis or a mention.
_PLAIN_MARKDOWN = re.compile(r"[A-Za-z0-9]+(?:(?:[ _]|-(?=[A-Za-z])|[,;.] )[A-Za-z0-9]+)*\.?")
# Hosts of repositories turn such a word into a link to a commit.
_LIKE_A_COMMIT = re.compile(r"\b[0-9A-Fa-f]{7,}\b")
_BACKTICKS = re.compile("`+")
_NOT_A_WORD = re.compile(r"[!-/:-@\[-`{-~]")


def for_terminal(text: str) -> str:
    r"""Replace every control and invisible character by an escape such as ``\x1b`` or ``\u202e``.

    The result is one line, valid UTF-8 and valid in XML 1.0; letters of every script and emoji stay. A joiner stays
    where it joins two emoji or two letters of a script that needs it. The openings of a CI runner's commands
    (``::`` at the start, ``##[`` anywhere) are broken up, because output is often read by one.
    """
    shown = _HARMFUL.sub(_visible, text)
    command = _COMMAND.match(shown)
    return f"{command[1]}\\x3a{shown[command.end() :]}" if command else shown


def _visible(match: re.Match[str]) -> str:
    char = match.group()[0]
    if char in _JOINERS and _joins(match.string, match.start()):
        return char
    code = ord(char)
    escape = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT.get(char, escape) + match.group()[1:]


def _joins(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return (
        bool(before and after)
        and unicodedata.category(before) in _JOINED_BEFORE
        and unicodedata.category(after) in _JOINED_AFTER
    )


def for_markdown(text: str) -> str:
    """Escape text for a cell of a GitHub-flavoured Markdown table, so that no markup in it takes effect.

    Plain words stay as they are. Everything else is code, where links, images, HTML, entities, emphasis and
    mentions have no meaning. Text with a pipe is code as HTML with entities, because parsers disagree about a
    backslash before a pipe.
    """
    shown = for_terminal(text)
    if not shown or (_PLAIN_MARKDOWN.fullmatch(shown) and not _LIKE_A_COMMIT.search(shown)):
        return shown
    if "|" in shown:
        return f"<code>{_NOT_A_WORD.sub(_entity, shown)}</code>"
    fence = "`" * (max(map(len, _BACKTICKS.findall(shown)), default=0) + 1)
    # Markdown takes one space off either end, and takes a backtick there for part of the fence.
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _entity(match: re.Match[str]) -> str:
    char = match.group()
    # An address is recognized after entities are resolved; a comment keeps its halves apart.
    return f"&#{ord(char)};" + ("<!-- -->" if char == "@" else "")


def for_github_annotation_message(text: str) -> str:
    """Escape text for the message of a GitHub workflow command.

    Line ends become visible escapes and not ``%0A``: the runner would write them to its log as line ends, and
    telemetry could forge log lines.
    """
    return for_terminal(text).replace("%", "%25")


def for_github_annotation_property(text: str) -> str:
    """Escape text for a property (``file``, ``title``) of a GitHub workflow command."""
    return for_github_annotation_message(text).replace(":", "%3A").replace(",", "%2C")
