"""The warnings and notes of a session, evaluated record by record over what ``reference`` has read."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

from tests.reading import reference
from tests.reading.reference import TIMESTAMP, Index, Pairs, Session

RuleCount = tuple[str, Index, str | None, int]
"""Rule, record index, field, and how many times it occurs."""

DEPRECATED = {"backend", "deviceName", "device_name"}


def warnings(session: Session, *, has_mark: bool) -> list[RuleCount]:
    """The warnings and notes of a session.

    Args:
        session: the session.
        has_mark: whether its file begins with a byte order mark.
    """
    if session.status == "rejected":
        return []
    found: list[RuleCount] = [("byte-order-mark", None, None, 1)] if has_mark else []
    faulted = {(index, field) for _, index, field in session.errors}
    seeds: set[int] = set()
    shared: Counter[tuple[str, str]] = Counter()
    for row in session.rows:
        index = row["record_index"]
        found += [(rule, index, name, 1) for rule, name in of_record(row, seeds)]
        if row["released_at_text"] is None and (index, "released_at") not in faulted:
            found.append(("in-flight", index, "released_at", 1))
        for name in ("acquired_at", "released_at"):
            shared.update((rule, name) for rule in of_timestamp(row[f"{name}_text"]) if row[name])
    found += [(rule, None, name, times) for (rule, name), times in shared.items()]
    indices = [None, *(row["record_index"] for row in session.rows)]
    for index, (one, other) in zip(indices, session.device_names, strict=True):
        if one is not None and other is not None and one != other:
            found.append(("device-name-conflict", index, "device_name", 1))
    return found + of_keys(session) + of_mean(session)


def of_record(row: dict[str, Any], seeds: set[int]) -> list[tuple[str, str]]:
    """Rule and field of each warning about the values of one record."""
    found = []
    seed, duration, begin, end = (row[name] for name in ("seed", "duration_ms", "acquired_at", "released_at"))
    if seed == 0:
        found.append(("seed-zero", "seed"))
    elif seed is not None and seed in seeds:
        found.append(("seed-reused", "seed"))
    seeds.add(seed)
    for name in ("acquired_at", "released_at"):
        text = row[f"{name}_text"]
        if text == "":
            found.append(("timestamp-unset", name))
        elif text is not None and row[name] is None:
            found.append(("timestamp-unreadable", name))
    if begin and end and end < begin:
        found.append(("released-before-acquired", "released_at"))
    if duration is not None and duration < 0:
        found.append(("duration-negative", "duration_ms"))
    if begin and end and duration is not None:
        span = end - begin
        microseconds = (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
        resolution = max(map(resolution_us, (row["acquired_at_text"], row["released_at_text"])))
        if abs(microseconds - duration * 1000) > resolution + 1:
            found.append(("duration-contradicts-timestamps", "duration_ms"))
    return found


def resolution_us(text: str) -> int:
    """The step that a timestamp can tell apart."""
    match = TIMESTAMP.fullmatch(text)
    assert match
    return 10 ** (6 - min(len(match[5] or ""), 6))


def of_timestamp(text: str | None) -> list[str]:
    """The rules of a whole file that a readable timestamp breaks."""
    match = TIMESTAMP.fullmatch(text or "")
    if not match:
        return []
    fraction, zone = match[5] or "", match[6]
    rules = {
        "timestamp-not-utc": zone is not None and any(digit in "123456789" for digit in zone),
        "timestamp-no-zone": zone is None,
        "timestamp-finer-than-microsecond": any(digit != "0" for digit in fraction[6:]),
    }
    return [rule for rule, is_broken in rules.items() if is_broken]


def of_keys(session: Session) -> list[RuleCount]:
    """The deprecated and the unknown fields, each kind as one fault."""
    labels = [value for key, value in session.top["extra"] if key == "labels"]
    known = {*reference.KNOWN}
    deprecated: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for number, keys in enumerate(session.keys):
        allowed = known if number else {*reference.TOP, *(["labels"] if any(map(are_labels, labels)) else [])}
        deprecated.update(key for key in keys if key in DEPRECATED)
        unknown.update(key for key in keys if key not in allowed)
    counted = (("deprecated-field", deprecated), ("unknown-field", unknown))
    return [(rule, None, ", ".join(sorted(keys)), sum(keys.values())) for rule, keys in counted if keys]


def are_labels(value: Any) -> bool:
    """Whether a value is an object of texts with different names."""
    return (
        isinstance(value, Pairs)
        and len({key for key, _ in value}) == len(value)
        and all(isinstance(text, str) and not isinstance(text, reference.Number) for _, text in value)
        and all(reference.is_unicode(text) for pair in value for text in pair)
    )


def of_mean(session: Session) -> list[RuleCount]:
    """Whether the declared mean contradicts the records, beyond the digits that the producer prints."""
    declared = session.top["stability_score"]
    scores = [row["stability_score"] for row in session.rows]
    if declared is None or not scores or None in scores:
        return []
    mean = float(sum(map(Fraction, scores)) / len(scores))
    # The producer prints three significant digits of a score, and six decimals of the mean.
    is_short = all(abs(float(f"{score:.3g}") - score) < 1e-12 for score in scores)
    bound = 0.0000005 + 1e-12 + (0.0005 if is_short else 0.0)
    return [("mean-contradicts-records", None, "stability_score", 1)] if abs(declared - mean) > bound else []
