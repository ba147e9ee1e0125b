"""Corpora of the benchmarks, and the answers of all contenders on them; no test depends on a time."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks import corpus, objects
from benchmarks.commands import Settings, check_exactly, clamp_command, contenders, in_process, missing_tools
from benchmarks.corpus import Corpus, make_corpus
from benchmarks.measure import Contender, FailedError, Run, Spread, check, ratios, run, run_checked, shorten_reason
from benchmarks.rivals import LOADS, SUMMARIES
from benchmarks.scale.__main__ import plan
from benchmarks.tables import Row, Table
from clamp_analytics.reading import load

TINY = Corpus("tiny", files=8, records=40)
STYLES = {
    "producer": TINY,
    "plain": replace(TINY, plain=True),
    "unknown": replace(TINY, unknown=True),
}
FAULTY = replace(TINY, faulty=True)

PRODUCED = re.compile(
    rb'\{"backend":"CPU","deviceName":"node-a","device_name":"node-a","stability_score":\d\.\d{6},"records": \['
    rb"(RECORD(, RECORD)*)\] \}"
)
RECORD = re.compile(
    rb'\{"context":"thread-\d","seed":\d+,"backend":"CPU","deviceName":"node-a","device_name":"node-a",'
    rb'"thread_id":"\d+","acquired_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",'
    rb'"released_at":(?:null|"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),"duration_ms":\d+\.\d{3},'
    rb'"stability_score":(?:[01]|0\.\d{1,7}|\d(?:\.\d+)?e-\d\d)\}'
)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "task, name",
    [*(("load", name) for name in LOADS), *(("summarize", name) for name in ("clamp_analytics", *SUMMARIES, "jq"))],
)
def test_every_contender_gives_the_right_answer(task: str, name: str, style: str, tmp_path: Path) -> None:
    if lacks := missing_tools(name, task):
        pytest.skip(lacks)
    folder, truth = make_corpus(STYLES[style], tmp_path)
    contender = next(one for one in contenders(task, folder) if one.name == name)

    run_checked(contender, asdict(truth))


@pytest.mark.parametrize("shape", [*STYLES.values(), FAULTY], ids=[*STYLES, "faulty"])
def test_our_figures_are_right_to_the_last_digits(shape: Corpus, tmp_path: Path) -> None:
    folder, truth = make_corpus(shape, tmp_path)

    check_exactly(folder, truth)


@pytest.mark.parametrize("what", [("alone",), ("workers", 1), ("workers", 2), ("listing",)], ids=str)
def test_in_process_measurements_give_the_right_answer(what: tuple[str, *tuple[int, ...]], tmp_path: Path) -> None:
    folder, truth = make_corpus(TINY, tmp_path)

    run_checked(in_process(what[0], folder, *what[1:]), asdict(truth))


def test_an_export_and_the_bare_aggregate_over_it_are_right(tmp_path: Path) -> None:
    folder, truth = make_corpus(TINY, tmp_path)
    run(clamp_command("export", str(folder), "-o", str(tmp_path / "export")))

    for what in ("export", "aggregate"):
        run_checked(in_process(what, tmp_path / "export"), asdict(truth))


def test_simulated_sessions_are_all_summarized_by_few_tasks() -> None:
    found = plan(100_000)

    assert found["right"]
    # Of ten ranges of 10,000 keys, six are divided into ten each; the others are read in two parts of at most 30 MB.
    assert found["tasks"] == {"ListRange": 64, "FoldRange": 60 + 4 * 2}


def test_files_have_the_exact_form_of_the_producer() -> None:
    data, _ = corpus.session(TINY, 3)

    assert PRODUCED.fullmatch(RECORD.sub(b"RECORD", data))
    assert len(RECORD.findall(data)) == 40


def test_clean_files_break_no_rule_but_those_of_real_files(tmp_path: Path) -> None:
    found = {}
    for style, shape in STYLES.items():
        folder, _ = make_corpus(replace(shape, name=style), tmp_path)
        found[style] = set(load(folder, jobs=1).violations["rule"])

    assert found["producer"] <= {"deprecated-field", "in-flight"}
    assert found["plain"] <= {"in-flight"}
    assert found["unknown"] <= {"deprecated-field", "in-flight", "unknown-field"}


def test_the_same_parameters_give_the_same_bytes() -> None:
    first, second = (corpus.session(FAULTY, 5)[0] for _ in range(2))

    assert first == second


def test_seeds_use_all_64_bits() -> None:
    records = json.loads(corpus.session(TINY, 0)[0])["records"]

    assert max(record["seed"] for record in records) > 2**63


def test_of_a_thousand_faulty_files_ten_have_a_bad_record_and_one_is_cut() -> None:
    heap = Corpus("heap", files=2_000, records=20, faulty=True)

    assert sum(corpus.fault_of(heap, index) is not None for index in range(2_000)) == 20
    assert sum(corpus.is_cut(heap, index) for index in range(2_000)) == 2


@pytest.mark.parametrize("fault", corpus.BAD_RECORDS, ids=[bad for _, bad, _ in corpus.BAD_RECORDS])
def test_each_bad_record_is_one_error_and_loses_one_value(fault: tuple[str, str, str], tmp_path: Path) -> None:
    # Files 5, 105, 205 … have one bad record each, with successive faults.
    index = 5 + 100 * corpus.BAD_RECORDS.index(fault)
    data, _ = corpus.session(replace(FAULTY, files=1_000, records=3), index)
    (tmp_path / "bad.json").write_bytes(data)

    telemetry = load(tmp_path, jobs=1)

    assert telemetry.violations.filter(severity="error")["record_index"].to_list() == [1]
    assert sum(telemetry.records.select("seed", "thread_id", "stability_score").null_count().row(0)) == 1


def test_an_existing_corpus_is_reused(tmp_path: Path) -> None:
    folder, truth = make_corpus(TINY, tmp_path)
    marked = next(folder.iterdir())
    marked.write_text("kept")

    assert make_corpus(TINY, tmp_path) == (folder, truth)
    assert marked.read_text() == "kept"


def test_a_corpus_with_other_parameters_is_generated_again(tmp_path: Path) -> None:
    make_corpus(TINY, tmp_path)

    folder, _ = make_corpus(replace(TINY, files=3), tmp_path)

    assert len(list(folder.iterdir())) == 3


def test_a_foreign_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()

    with pytest.raises(FileExistsError, match="not created by the benchmark"):
        make_corpus(TINY, tmp_path)


@pytest.mark.parametrize(
    "answer, said",
    [
        ({"records": 9}, "records 9 instead of 10"),
        ({"seed_sum": 2**64 - 2}, "seed_sum 18446744073709551614 instead of 18446744073709551615"),
        ({"mean": 0.5 + 1e-8}, r"mean 0\.50000001 instead of 0\.5"),
        ({"mean": None}, r"mean None instead of 0\.5"),
        ({"mean": float("nan")}, r"mean nan instead of 0\.5"),
    ],
)
def test_a_wrong_answer_is_found_and_named(answer: dict[str, object], said: str) -> None:
    with pytest.raises(FailedError, match=f"^wrong answer: {said}$"):
        check(answer, {"records": 10, "seed_sum": 2**64 - 1, "mean": 0.5})


def test_the_last_bits_of_a_sum_do_not_make_an_answer_wrong() -> None:
    check({"mean": 0.1 + 0.2}, {"mean": 0.3})


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(FailedError, match=r"^exit code 1: ValueError: so it is$"):
        run([sys.executable, "-c", "raise ValueError('so it is\\nand more')"])


def test_the_memory_of_all_processes_is_watched_until_the_first_line() -> None:
    code = "import sys; held = bytearray(64_000_000); print(len(held), flush=True); sys.stdin.read()"

    done = run(["sh", "-c", f"{sys.executable} -c '{code}'; true"], watch=True)

    assert done.output == "64000000\n"
    assert done.largest > 60


def test_a_ratio_is_taken_turn_by_turn() -> None:
    assert ratios([2.0, 6.0, 3.0], [1.0, 2.0, 3.0]) == Spread(2.0, 1.0, 3.0)


def test_a_shortened_reason_has_no_folder_name_and_fits_a_table() -> None:
    reason = shorten_reason(f"cannot read /home/me/corpora/small/a.json {'x' * 300}", Path("/home/me/corpora"))

    assert reason.startswith("cannot read …/small/a.json xxx")
    assert len(reason) == 160


def test_a_table_says_what_was_not_met_and_leaves_empty_columns_out() -> None:
    table = Table("title", "meaning", [Row("one", ratio=Spread(2.0, 1.0, 3.0), target="at least 5", met=False)])

    assert table.text().split("\n") == [
        "== title",
        "   meaning",
        "     ratio (min to max)   target",
        "one  2.00 (1.00 to 3.00)  at least 5  NOT MET",
        "",
    ]


def test_a_contender_takes_its_time_from_inside_where_that_counts() -> None:
    done = Run(9.0, 1.0, None, '{"seconds": 0.5, "answer": {}}\n')

    assert in_process("alone", Path("x")).seconds(done) == 0.5
    assert Contender("whole", []).seconds(done) == 9.0


def test_each_object_of_a_bucket_costs_one_request_and_gives_the_right_answer(tmp_path: Path) -> None:
    (table,) = objects.tables(Settings(tmp_path, runs=1), Corpus("few", 5, 3))

    (requests,) = (row for row in table.rows if row.name == "requests per object")
    assert (requests.ratio, requests.note) == (Spread.of([1.0]), "and 1 to list")
