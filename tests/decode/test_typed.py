"""The fast path: which documents the typed decoders accept, and which layouts they keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from clamp_analytics.decode.options import DecodeOptions
from clamp_analytics.decode.typed import Decoded, KeyLayout, KeyLayouts, RecordFaultError, layout_of, raw_fields
from tests.conftest import GOOD, RECORD, Raw, json_text, producer_session, record, session

REQUIRED = frozenset(RECORD)
TOP = frozenset({"records", "stability_score"})


@pytest.fixture(autouse=True)
def new_layouts() -> None:
    """Compile the layouts of each test anew."""
    layout_of.cache_clear()


def accepted(data: bytes, options: DecodeOptions | None = None) -> Decoded:
    """The document as the fast path decodes it."""
    found = KeyLayouts().decode_session(data, options or DecodeOptions())
    assert found is not None
    return found


def seeds(found: Decoded) -> list[list[int]]:
    """The seeds of each chunk of a document."""
    return [[entry.seed for entry in chunk] for chunk in found.chunks]


def array(*records: Mapping[str, Any]) -> bytes:
    return json_text(list(records)).encode()


ACCEPTED = {
    "no record": session(),
    "one record": GOOD,
    "three records": session(*(record(seed=seed) for seed in (1, 2, 3))),
    "only records": b'{"records":[]}',
    "the producer's legacy fields": producer_session({"seed": 1}, {"seed": 2}),
    "an anchor in flight": session(record(released_at=None)),
    "unknown fields": session(record(node=1, rack=Raw("[1,{}]")), host="x"),
    "unknown fields and no record": session(host="x"),
    "two of three top-level fields": session(record(), backend="a", deviceName="b"),
    "commas in texts": session(record(context="a,b", thread_id=","), record(context=",,", released_at=None)),
    "commas in unknown fields": session(record(node=Raw("[1,2]")), record(node=Raw('"a,b"')), host=Raw("[1,2,3]")),
    "commas at the top level": session(record(), backend="a,b", deviceName=",", device_name=","),
    "an escaped character and no comma": session(record(context=Raw('"\\u002b"'))),
    "a seed of 64 bits": session(record(seed=2**64 - 1)),
    "scores of 0 and 1": session(record(stability_score=0), record(stability_score=1)),
    "labels": session(record(), labels={"commit": "a,b"}),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_document_without_faults_is_accepted(case: str) -> None:
    found = accepted(ACCEPTED[case])

    expected = [entry["seed"] for entry in json.loads(ACCEPTED[case])["records"]]
    assert seeds(found) == [expected]


REJECTED = {
    "a key twice": GOOD.replace(b'"seed":7', b'"seed":7,"seed":7'),
    "a key twice beside an unknown field": session(record(node=1)).replace(b'"seed":7', b'"seed":7,"seed":7'),
    "a key twice at the top level": GOOD.replace(b'{"stability_score":1.000000', b'{"stability_score":1,"backend":"a"')[
        :-1
    ]
    + b',"backend":"a"}',
    "a key twice and an escaped comma": session(record(context=Raw('"\\u002c"'))).replace(
        b'"seed":7', b'"seed":7,"seed":7'
    ),
    "a missing field": session(record(without=("seed",))),
    "a negative seed": session(record(seed=-1)),
    "a score above 1": session(record(stability_score=Raw("1.01"))),
    "a score below 0": session(record(stability_score=Raw("-0.01"))),
    "a declared score above 1": session(record(), stability_score=2),
    "a seed that is a float": session(record(seed=Raw("7.5"))),
    "a text that is null": session(record(context=None)),
    "an unknown field that is not UTF-8": session(record(node="@")).replace(b"@", b"\xff"),
    "a top-level field that is not UTF-8": session(record(), node="@").replace(b"@", b"\xff"),
    "an unknown field that is too deep": session(record(node=Raw("[" * 248 + "]" * 248))),
    "a top-level field that is too deep": session(record(), node=Raw("[" * 250 + "]" * 250)),
    "records with other keys": session(record(), record(node=1)),
    "a text that is cut": GOOD[:-1],
    "no records": b'{"stability_score":1}',
    "an array": b"[]",
    "not UTF-8": GOOD.replace(b"alpha", b"\xff"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_document_with_a_fault_is_left_to_the_fallback(case: str) -> None:
    assert KeyLayouts().decode_session(REJECTED[case]) is None


@pytest.mark.parametrize(
    "data",
    [
        session(record(node=Raw("[" * 247 + "]" * 247))),
        session(record(), node=Raw("[" * 247 + "]" * 247)),
        session(*(record(seed=seed, node=1) for seed in range(1, 300))),
    ],
    ids=["record", "top level", "many records"],
)
def test_a_document_with_unknown_fields_may_have_250_more_brackets_than_siblings(data: bytes) -> None:
    accepted(data)


def test_a_field_of_the_top_level_is_unset_where_it_is_missing() -> None:
    layout, document, _ = accepted(session(record(), node=Raw(" [1]"), host="x"))

    assert raw_fields(document, layout.top_unknown) == {"node": "[1]", "host": '"x"'}
    other = KeyLayouts().decode_session(session(record()))
    assert other is not None
    assert raw_fields(other.document, other.layout.top_unknown) == {}


def test_the_deprecated_and_unknown_keys_of_a_layout_are_noted() -> None:
    layout = layout_of(REQUIRED | {"backend", "node"}, TOP)

    assert layout is not None
    assert (layout.keys, sorted(layout.noted)) == (REQUIRED | {"backend"}, ["backend", "node"])
    assert layout.unknown == (("unknown_0", "node"),)
    assert layout.top_unknown == ()


# Pieces


def test_a_document_of_the_given_length_is_decoded_in_pieces() -> None:
    data = session(*(record(seed=seed) for seed in range(1, 7)))

    whole = accepted(data, DecodeOptions(piece_bytes=300, long_bytes=len(data) + 1))
    pieces = accepted(data, DecodeOptions(piece_bytes=300, long_bytes=len(data)))

    assert seeds(whole) == [[1, 2, 3, 4, 5, 6]]
    assert seeds(pieces) == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    "entry",
    [
        record(seed=-1),
        record(node=1),
        Raw(json_text(record())[:-1] + ',"seed":7}'),
        record(context=Raw('"\\ud800"')),
    ],
    ids=["negative seed", "another key", "a key twice", "half of a surrogate pair"],
)
def test_a_fault_in_a_later_piece_is_raised(entry: Any) -> None:
    found = accepted(session(record(), record(), record(), entry), DecodeOptions(piece_bytes=300, long_bytes=1))

    with pytest.raises(RecordFaultError):
        seeds(found)


def test_a_hidden_fault_in_a_later_piece_is_raised() -> None:
    data = session(*(record(node=node) for node in ("a", "b", "c", "@"))).replace(b"@", b"\xff")
    found = accepted(data, DecodeOptions(piece_bytes=300, long_bytes=1))

    with pytest.raises(RecordFaultError):
        seeds(found)


# Arrays of records


def known(*layouts: frozenset[str]) -> KeyLayouts:
    """The layouts of these keys of records, remembered in this order."""
    kept = KeyLayouts()
    for keys in layouts:
        assert kept.remember(REQUIRED | keys, frozenset()) is not None
    return kept


def is_known(kept: KeyLayouts, key: str) -> bool:
    return kept.decode_records(array(record(**{key: 1}))) is not None


def test_records_are_decoded_by_the_layout_that_accepts_them() -> None:
    kept = known(frozenset(), frozenset({"node"}))

    for entry in (record(), record(node=1), record()):
        found = kept.decode_records(array(entry, entry))

        assert found is not None
        assert [one.seed for one in found[1]] == [7, 7]


@pytest.mark.parametrize(
    "data",
    [
        array(record(seed=-1)),
        array(record(backend="a")),
        array(record()).replace(b'"seed":7', b'"seed":7,"seed":7'),
        array(record(node="@")).replace(b"@", b"\xff"),
        array(record(node=Raw("[" * 260 + "]" * 260))),
        array(record())[:-1],
    ],
    ids=["negative seed", "unknown layout", "a key twice", "not UTF-8", "too deep", "cut"],
)
def test_records_with_a_fault_are_not_decoded(data: bytes) -> None:
    assert known(frozenset(), frozenset({"node"})).decode_records(data) is None


def test_a_layout_is_remembered_once() -> None:
    kept = known(frozenset(), frozenset({"node"}))

    assert kept.remember(REQUIRED, frozenset()) is None
    assert kept.remember(REQUIRED | {"node"}, frozenset()) is None
    assert kept.remember(REQUIRED | {"node"}, frozenset({"host"})) is not None


def test_eight_layouts_are_kept() -> None:
    kept = known(*(frozenset({f"k{number}"}) for number in range(9)))

    assert [is_known(kept, f"k{number}") for number in range(9)] == [False] + [True] * 8


def test_the_layout_that_was_used_last_is_kept_longest() -> None:
    kept = known(frozenset({"a"}), frozenset({"b"}))
    is_known(kept, "a")

    for number in range(7):
        kept.remember(REQUIRED | {f"k{number}"}, frozenset())

    assert (is_known(kept, "a"), is_known(kept, "b")) == (True, False)


def test_a_layout_that_is_used_often_takes_no_room_of_another() -> None:
    kept = known(frozenset({"a"}), frozenset({"b"}), frozenset({"c"}))

    for key in "bcbcbcbc":
        is_known(kept, key)
    kept.remember(REQUIRED | {"d"}, frozenset())

    assert is_known(kept, "a")


@pytest.mark.parametrize(
    ("records", "top", "exists"),
    [
        (REQUIRED, TOP, True),
        (REQUIRED - {"seed"}, TOP, False),
        (REQUIRED | {f"k{n}" for n in range(246)}, frozenset({"a", "b", "c"}), True),
        (REQUIRED | {f"k{n}" for n in range(247)}, frozenset({"a", "b", "c"}), False),
    ],
    ids=["required keys", "a missing key", "256 keys", "257 keys"],
)
def test_a_layout_has_the_required_keys_and_256_at_most(
    records: frozenset[str], top: frozenset[str], exists: bool
) -> None:
    assert isinstance(layout_of(records, top), KeyLayout) == exists


@pytest.mark.parametrize(("size", "is_learnt"), [(2_000_000, True), (2_000_001, False)])
def test_the_keys_of_a_document_above_2_megabytes_are_not_learnt(size: int, is_learnt: bool) -> None:
    found = KeyLayouts().decode_session(GOOD.ljust(size), DecodeOptions(long_bytes=10**9))

    assert (found is not None) == is_learnt


@pytest.mark.parametrize(
    ("data", "has_duplicate"),
    [
        (array(record(), record()), False),
        (array(record(context="a,b")), False),
        (array(record(context=Raw('"a\\u002cb"'))), False),
        (array(record(context=Raw('"\\u002c,"'))), True),
        (array(record()).replace(b'"seed":7', b'"seed":7,"seed":7'), True),
    ],
    ids=["no comma in a text", "a comma", "an escaped comma", "both", "a key twice"],
)
def test_a_key_twice_is_found_by_the_number_of_commas(data: bytes, has_duplicate: bool) -> None:
    layout = layout_of(REQUIRED, TOP)
    assert layout is not None

    assert layout.has_duplicate_keys(data, layout.records.decode(data)) is has_duplicate


def test_a_layout_without_unknown_fields_hides_no_fault() -> None:
    layout = layout_of(REQUIRED, TOP)
    assert layout is not None

    assert layout.may_have_hidden_fault(array(record()), []) is False
