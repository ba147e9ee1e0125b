"""Whole documents that are cut, no JSON, or JSON but no session."""

from __future__ import annotations

import codecs
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import INTEROP, Raw, decode, faults, only, record, session, statuses

SOUND = session(record())
REAL = {
    name: (INTEROP / name).read_bytes()
    for name in (
        "run_utf8host_20261122T171803Z.json",
        "run_only_inflight_20261122T171756Z.json",
        "run_empty_20261122T171756Z.json",
    )
}


@pytest.mark.parametrize("name", REAL)
@given(data=st.data())
def test_every_prefix_of_a_real_file_is_rejected_with_the_offset_of_the_cut(name: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(REAL[name]) - 1))

    batch = decode(REAL[name][:cut])

    row = only(batch.violations)
    assert statuses(batch) == ["rejected"]
    assert batch.records.is_empty()
    assert (row["rule"], row["severity"], row["record_index"], row["byte_offset"]) == ("truncated", "error", None, cut)


def test_every_prefix_of_a_small_file_is_reported_as_truncated() -> None:
    rich = session(
        record(context=Raw('"\\u00e9\\ud83d\\ude00\\n\\"é𝄞"'), flags=Raw("[true,false,null,-1.5e+10,0.25E-3,{}]")),
        record(released_at=None, seed=2**64 - 1),
    )

    batch = decode(*(rich[:cut] for cut in range(len(rich))))

    assert set(statuses(batch)) == {"rejected"}
    assert batch.violations["rule"].unique().to_list() == ["truncated"]
    assert batch.violations["byte_offset"].to_list() == list(range(len(rich)))


@pytest.mark.parametrize("blank", [b"", b" ", b"\n", b" \t\r\n" * 100])
def test_an_empty_file_is_cut_at_its_end(blank: bytes) -> None:
    row = only(decode(blank).violations)

    assert (row["rule"], row["byte_offset"]) == ("truncated", len(blank))


def test_a_byte_order_mark_is_flagged_and_the_file_read() -> None:
    batch = decode(codecs.BOM_UTF8 + session(record(seed=0)))

    assert statuses(batch) == ["loaded"]
    assert faults(batch, at_least="warning") == [
        ("byte-order-mark", None, None, None),
        ("seed-zero", 0, "seed", "0"),
    ]


def test_offsets_behind_a_byte_order_mark_are_those_of_the_file() -> None:
    data = codecs.BOM_UTF8 + session(record(seed=0, context=None))

    offsets = dict(decode(data).violations.select("rule", "byte_offset").rows())

    assert data[offsets["seed-zero"] :].startswith(b"0,")
    assert data[offsets["wrong-type"] :].startswith(b"null,")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_another_encoding_is_rejected_by_name(encoding: str) -> None:
    batch = decode(SOUND.decode().encode(encoding))

    assert statuses(batch) == ["rejected"]
    assert [rule for rule, *_ in faults(batch)] == ["not-utf8"]


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "nan", "-nan", "inf", "-inf", "1e", "01", ".5", "+1"]
)
@pytest.mark.parametrize("field", ["stability_score", "duration_ms", "seed", "node"])
def test_a_number_that_json_does_not_have_rejects_the_file_at_its_offset(number: str, field: str) -> None:
    data = session(record(context="NaN, Infinity"), record(**{"seed": 8, field: Raw(number)}))
    begin = data.rindex(f'"{field}":{number}'.encode()) + len(field) + 3

    batch = decode(data)

    row = only(batch.violations)
    assert statuses(batch) == ["rejected"]
    assert batch.records.is_empty()
    assert row["rule"] == "not-json"
    assert begin <= row["byte_offset"] <= begin + len(number)
    assert data[row["byte_offset"] :].startswith(row["value"].encode())


def test_a_decimal_comma_rejects_the_file_at_its_offset() -> None:
    data = session(record(duration_ms=Raw("0,500000")))

    row = only(decode(data).violations)

    assert row["rule"] == "not-json"
    assert data[: row["byte_offset"]].endswith(b'"duration_ms":0,')


@pytest.mark.parametrize("rest", [b"x", b"{}", b"\0", b"\f", b"]", b"}", b",", b"\xef\xbb\xbf", SOUND])
def test_what_follows_the_document_rejects_the_file(rest: bytes) -> None:
    row = only(decode(SOUND + rest).violations)

    assert (row["rule"], row["byte_offset"]) == ("not-json", len(SOUND))


@pytest.mark.parametrize("control", [b"\t", b"\n", b"\x00", b"\x1f"])
def test_a_bare_control_character_in_a_text_rejects_the_file(control: bytes) -> None:
    data = session(record(context="a@b")).replace(b"@", control)

    row = only(decode(data).violations)

    assert (row["rule"], row["byte_offset"]) == ("not-json", data.index(control))


@pytest.mark.parametrize(
    "document",
    [
        b"[]",
        b"[" + SOUND + b"]",
        b"null",
        b"true",
        b"12",
        b'"text"',
        b"{}",
        b'{"stability_score":1}',
        b'{"stability_score":1,"records":null}',
        b'{"stability_score":1,"records":{}}',
        b'{"stability_score":1,"records":"text"}',
        b'{"stability_score":1,"records":5}',
        b'{"stability_score":1,"Records":[]}',
    ],
)
def test_json_that_is_not_a_session_is_rejected_as_such(document: bytes) -> None:
    batch = decode(document)

    assert statuses(batch) == ["rejected"]
    assert [rule for rule, *_ in faults(batch)] == ["not-a-session"]


def test_records_that_is_not_an_array_is_reported_with_its_value_and_offset() -> None:
    data = b'{"stability_score":1,"records":{"a":1}}'

    row = only(decode(data).violations)

    assert (row["value"], row["byte_offset"]) == ('{"a":1}', 31)


@pytest.mark.parametrize("entry", ["1", "null", '"text"', "[]", "[{}]", "true", "-1.5e3"])
def test_an_entry_that_is_not_an_object_is_named_and_the_others_keep_their_index(entry: str) -> None:
    data = session(record(seed=1), Raw(entry), record(seed=3))

    batch = decode(data)

    row = only(batch.violations)
    assert (row["rule"], row["record_index"], row["value"]) == ("record-not-object", 1, entry)
    assert data[row["byte_offset"] :].startswith(entry.encode())
    assert batch.records.select("record_index", "seed").rows() == [(0, 1), (2, 3)]
    assert only(batch.sessions)["record_count"] == 2


def test_a_session_of_nothing_but_wrong_entries_is_loaded_without_records() -> None:
    batch = decode(session(Raw("1"), Raw("[]")))

    assert statuses(batch) == ["loaded"]
    assert batch.records.is_empty()
    assert len(faults(batch)) == 2


DUPLICATES = [
    ('"seed":7', '"seed":7,"seed":8'),
    ('"seed":7', '"seed":7,"seed":7'),
    ('"seed":7', '"seed":7,"s\\u0065ed":8'),
    ('"seed":7', '"\\u0073\\u0065\\u0065\\u0064":8,"seed":7'),
]


@pytest.mark.parametrize(("plain", "twice"), DUPLICATES)
@pytest.mark.parametrize(
    "context", ['"a"', '"a,b,c"', '"a\\u002cb"', '"a\\u002Cb"', '"\\u002c\\u002c,"', '"\\\\u002c"']
)
@pytest.mark.parametrize("node", ["", "1", "[1,2]", '"\\u002c"'])
def test_a_key_that_occurs_twice_is_an_error_whatever_commas_surround_it(
    plain: str, twice: str, context: str, node: str
) -> None:
    unknown = {"node": Raw(node)} if node else {}
    sound = session(record(context=Raw(context), **unknown))
    data = sound.replace(plain.encode(), twice.encode())

    batch = decode(sound, data)

    assert [(rule, index, field) for rule, index, field, _ in faults(batch)] == [("duplicate-key", 0, "seed")]
    assert batch.records["seed"].to_list() == [7, None]
    assert batch.records["context"].to_list() == [json.loads(context)] * 2


@pytest.mark.parametrize(
    "key", ["context", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score"]
)
def test_no_value_of_a_doubled_key_is_taken(key: str) -> None:
    text = json.dumps(record()[key]) if key != "duration_ms" else "1000.000"
    data = session(record()).replace(f',"{key}":{text}'.encode(), f',"{key}":{text},"{key}":{text}'.encode())
    data = data.replace(b'{"context":"alpha"', b'{"context":"alpha","context":"alpha"') if key == "context" else data

    batch = decode(data)

    assert [(rule, field) for rule, _, field, _ in faults(batch, at_least="info")] == [("duplicate-key", key)]
    assert only(batch.records)[key] is None


def test_both_values_of_a_duplicate_key_are_reported() -> None:
    data = session(record()).replace(b'"seed":7', b'"seed":7,"seed":8')

    row = only(decode(data).violations)

    assert row["value"] == "7, 8"
    assert data[row["byte_offset"] :].startswith(b"8,")


@pytest.mark.parametrize(
    ("top", "key"),
    [
        ('"stability_score":1.0,"stability_score":0.5', "stability_score"),
        ('"stability_score":1.0,"backend":"a","backend":"a"', "backend"),
        ('"stability_score":1.0,"backend":"a,\\u002c","b\\u0061ckend":"a"', "backend"),
        ('"stability_score":1.0,"node":[1,2],"node":3', "node"),
    ],
)
def test_a_key_that_occurs_twice_at_the_top_level_is_an_error(top: str, key: str) -> None:
    data = session(record()).replace(b'"stability_score":1.000000', top.encode())

    batch = decode(data)

    assert [(rule, index, field) for rule, index, field, _ in faults(batch)] == [("duplicate-key", None, key)]
    assert only(batch.sessions).get(key) is None
    assert batch.records.height == 1


@pytest.mark.parametrize("second", ['"records":[]', '"records":null', '"r\\u0065cords":[]'])
def test_two_arrays_of_records_reject_the_file(second: str) -> None:
    data = session(record())[:-1] + f",{second}}}".encode()

    batch = decode(data)

    assert statuses(batch) == ["rejected"]
    assert [(rule, field) for rule, _, field, _ in faults(batch)] == [("duplicate-key", "records")]


def test_keys_inside_an_unknown_value_may_repeat() -> None:
    batch = decode(session(record(node=Raw('{"a":1,"a":2}'))))

    assert faults(batch) == []
    assert only(batch.records)["extra"] == '{"node": {"a":1,"a":2}}'


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"stability_score":1,"records":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        session(record(node=Raw("[" * 100_000 + "]" * 100_000))),
    ],
    ids=["open", "closed", "objects", "records", "unknown field"],
)
def test_a_hundred_thousand_levels_reject_the_file_and_no_more(document: bytes) -> None:
    batch = decode(document, SOUND)

    assert statuses(batch) == ["rejected", "loaded"]
    assert [rule for rule, *_ in faults(batch)] == ["too-deep"]


@pytest.mark.parametrize("depth", [300, 700, 850, 950])
@pytest.mark.parametrize("seed", ["7", "-7"])
def test_how_deep_a_file_may_be_does_not_hang_on_who_reads_it(depth: int, seed: str) -> None:
    data = session(record(seed=Raw(seed), node=Raw("[" * depth + "]" * depth)))

    def below(frames: int) -> list[str]:
        return below(frames - 1) if frames else statuses(decode(data))

    assert below(0) == below(200)


def test_a_file_of_only_opening_braces_is_rejected() -> None:
    assert statuses(decode(b"{" * 1000)) == ["rejected"]


def test_one_bad_document_leaves_its_neighbours_alone() -> None:
    batch = decode(session(record(seed=1)), b'{"records":[', session(record(seed=2)))

    assert statuses(batch) == ["loaded", "rejected", "loaded"]
    assert batch.records["source"].to_list() == ["0.json", "2.json"]


def test_what_a_rejected_file_says_of_itself_is_not_believed() -> None:
    data = session(record(), backend="CPU", node=1)[:-1]

    row = only(decode(data).sessions)

    assert row["size_bytes"] == len(data)
    assert (row["declared_stability_score"], row["backend"], row["extra"], row["record_count"]) == (None, None, None, 0)


def test_the_keys_of_one_file_are_not_laid_to_another() -> None:
    learnt_from = session(record(backend="CPU", node=1))
    empty = b'{"stability_score":0,"deviceName":"x","records":[]}'

    batch = decode(learnt_from, empty)

    shared = batch.violations.filter(source="1.json").select("rule", "field", "count").rows()
    assert shared == [("deprecated-field", "deviceName", 1)]
