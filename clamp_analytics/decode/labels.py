"""The optional top-level field ``labels`` of a session file: an object whose values are all texts."""

from __future__ import annotations

import json
from collections.abc import Mapping

from clamp_analytics.schema import JsonField

LABELS_FIELD = "labels"
"""The top-level field in which a session file brings its own labels."""

LABELS = JsonField((LABELS_FIELD,), "object", required=False)


def parse_labels(raw: str) -> dict[str, str] | None:
    """The labels in the JSON text of the field; None where it is not an object of texts with distinct names."""
    if not raw.startswith("{"):
        return None
    try:
        # Objects become lists of pairs, which show a name that is given twice.
        pairs = json.loads(raw, object_pairs_hook=list)
    except ValueError:
        # A number has more digits than Python converts.
        return None
    labels = dict(pairs)
    if len(labels) < len(pairs) or not all(isinstance(value, str) for value in labels.values()):
        return None
    return labels if all(map(is_unicode, (*labels, *labels.values()))) else None


def is_unicode(text: str) -> bool:
    """Whether a text is valid Unicode; JSON escapes can also give half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def format_labels(labels: Mapping[str, str]) -> str | None:
    """Labels as a JSON object with its names in alphabetical order; None where there are none."""
    return json.dumps(labels, ensure_ascii=False, sort_keys=True) if labels else None
