r"""Labels of sessions: names such as ``commit`` or ``build``, each with a text, from a path or a field of the file.

A rule is written ``NAME=RULE``:

- ``build=build-(\d+)``: a regular expression that is searched in the ``source`` of the session; the label is its group.
- ``commit=@extra.git_sha``: an unknown field at the top level of the session file.
- ``commit=0f3c2ab``: anything else is the label itself, the same for all sessions.

A session file may bring labels of its own in the top-level field ``labels``, an object of texts, as the recorder writes
it. A rule goes before the file's own label of the same name. Decoding fills the column ``labels`` with the file's own
labels; the functions here add those of rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.decode.labels import LABELS_FIELD, format_labels, is_unicode, parse_labels
from clamp_analytics.errors import UsageError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_FIELD_PREFIX = "@extra."


class LabelKind(Enum):
    """Where the text of a label comes from."""

    PATTERN = "pattern"
    FIELD = "field"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How one label is found.

    Attributes:
        name: the name of the label.
        kind: where its text comes from.
        value: the regular expression, the name of the field, or the text.
    """

    name: str
    kind: LabelKind
    value: str


def parse_label_rule(text: str) -> LabelRule:
    """A rule from its text, ``NAME=RULE``.

    Raises:
        UsageError: the text has no name, or its regular expression is not one with exactly one group.
    """
    name, separator, value = text.partition("=")
    if not separator or not value or not _NAME.fullmatch(name):
        raise UsageError(
            "a label is given as NAME=RULE", where=text, hint=r"for example build=build-(\d+) or commit=@extra.git_sha"
        )
    if value.startswith(_FIELD_PREFIX):
        return LabelRule(name, LabelKind.FIELD, value.removeprefix(_FIELD_PREFIX))
    if "(" not in value:
        return LabelRule(name, LabelKind.TEXT, value)
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise UsageError(f"it is not a regular expression: {error}", where=text) from error
    if groups != 1:
        raise UsageError(
            f"the regular expression has {groups} groups", where=text, hint="one group in parentheses gives the label"
        )
    return LabelRule(name, LabelKind.PATTERN, value)


def parse_label_rules(texts: Iterable[str | LabelRule]) -> tuple[LabelRule, ...]:
    """Rules from their texts; a rule that is parsed already stays as it is.

    Raises:
        UsageError: a text is not a rule, or two rules have one name.
    """
    rules = tuple(text if isinstance(text, LabelRule) else parse_label_rule(text) for text in texts)
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two rules for the label {name!r}")
    return rules


def with_labels(batch: Batch, rules: Sequence[LabelRule]) -> Batch:
    """A batch whose sessions also have the labels of rules."""
    if not rules or batch.sessions.is_empty():
        return batch
    return replace(batch, sessions=batch.sessions.with_columns(session_labels(batch.sessions, rules)))


def session_labels(sessions: pl.DataFrame, rules: Sequence[LabelRule]) -> pl.Series:
    """The labels of sessions, each as a JSON object with its names in alphabetical order; null where there are none.

    Args:
        sessions: one row per session, with ``source`` and ``extra``; a column ``labels`` that is there already, as in
            an export or archive, goes before the file's own field.
        rules: how further labels are found.
    """
    held = sessions["labels"].to_list() if "labels" in sessions.columns else [None] * sessions.height
    rows = zip(sessions["source"].to_list(), sessions["extra"].to_list(), held, strict=True)
    texts = [format_labels(_labels_of(source, extra, held_labels, rules)) for source, extra, held_labels in rows]
    return pl.Series("labels", texts, dtype=pl.String)


def _labels_of(source: str, extra: str | None, held: str | None, rules: Sequence[LabelRule]) -> dict[str, str]:
    fields = _fields_of(extra) if extra else {}
    labels = read_labels(held) if held else _own_labels(fields)
    for rule in rules:
        text = _text_of(rule, source, fields)
        if text is not None:
            labels[rule.name] = text
    return labels


def _fields_of(extra: str) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = json.loads(extra)
    except ValueError:
        # An integer has more digits than Python converts.
        fields = json.loads(extra, parse_int=str)
    return fields


def _own_labels(fields: Mapping[str, object]) -> dict[str, str]:
    own = fields.get(LABELS_FIELD)
    return parse_labels(json.dumps(own)) or {} if isinstance(own, dict) else {}


def _text_of(rule: LabelRule, source: str, fields: Mapping[str, object]) -> str | None:
    if rule.kind is LabelKind.TEXT:
        return rule.value
    if rule.kind is LabelKind.PATTERN:
        match = re.search(rule.value, source)
        return match[1] if match else None
    value = fields.get(rule.value)
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if is_unicode(text) else None


def read_labels(text: str | None) -> dict[str, str]:
    """The labels of one session from their JSON text."""
    return json.loads(text) if text else {}
