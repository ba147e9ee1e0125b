"""Patterns in URLs of object storage: what a URL with ``*``, ``?`` or ``[…]`` matches, as in a shell."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from clamp_analytics.sources.object_storage import split_url

_MAGIC = re.compile(r"[*?\[]")


def has_magic(url: str) -> bool:
    """Whether the key of a URL is a pattern."""
    return _MAGIC.search(split_url(url)[1]) is not None


def fixed_prefix(url: str) -> str:
    """The folder of a URL with a pattern: what comes before the first part with a wildcard, with a slash."""
    bucket, key = split_url(url)
    match = _MAGIC.search(key)
    fixed = key[: match.start()] if match else key
    return f"{bucket}/{fixed[: fixed.rfind('/') + 1]}"


def common_folder(urls: Iterable[str]) -> str:
    """The folder that the objects, folders or patterns of some URLs have in common; empty where there is none."""
    folders = [fixed_prefix(url).split("/") for url in urls]
    common = [
        parts[0] for parts in itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    ]
    return "/".join(common).removesuffix("/") if len(common) > len(["s3:", "", "bucket"]) - 1 else ""


def pattern_of(url: str) -> re.Pattern[str]:
    """The expression of a URL with a pattern: what it matches, and everything in the folders that it matches.

    As in a shell, ``*`` and ``?`` match within one part of a key and no leading dot; ``**`` matches any
    number of parts.
    """
    *folders, last = url.rstrip("/").split("/")
    expressions = [r"(?:(?!\.)[^/]+/)*" if part == "**" else _part_expression(part) + "/" for part in folders]
    return re.compile("".join([*expressions, _part_expression(last), "(?:/.*)?"]), re.DOTALL)


def _part_expression(part: str) -> str:
    hidden = r"(?!\.)" if part[:1] in ("*", "?", "[") else ""
    return hidden + "".join(map(_translated, re.findall(r"\[!?\]?[^\]]*\]|.", part, re.DOTALL)))


def _translated(token: str) -> str:
    """One token of a pattern as an expression."""
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if token[0] == "[" and len(token) > 2:
        inside = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[{'^' + inside[1:] if inside[0] == '!' else inside}]"
    return re.escape(token)
