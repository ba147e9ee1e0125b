"""Builders of session files, and shortcuts to the results of reading, for all tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from polars.testing import assert_frame_equal

from clamp_analytics.batch import Batch
from clamp_analytics.decode.accepted import decode_accepted
from clamp_analytics.decode.batch_builder import BatchBuilder
from clamp_analytics.decode.decoded_files import batch_of
from clamp_analytics.decode.kernel import KERNEL_VARIABLE, Kernel, load_kernel
from clamp_analytics.decode.options import DEFAULT_OPTIONS, DecodeOptions
from clamp_analytics.decode.typed import KeyLayouts
from clamp_analytics.reading import Reader, Telemetry
from clamp_analytics.schema import RECORDS
from tests.fork_server import COMMAND, EVERYTHING, READING, Ended, ForkServer, fork_server, run_in_new_process
from tests.object_storage import Proxy, fault_proxy, open_bucket, s3_server

EXAMPLES = int(os.environ.get("CLAMP_EXAMPLES", "1"))
"""How many times more examples the properties try than in a usual run of the tests; ``make fuzz`` sets it."""

# No deadline, because a busy machine is slow. CI tests a change with the same examples every time; new examples are
# searched on a developer's machine.
settings.register_profile(
    "steady",
    deadline=None,
    max_examples=50 * EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("steady")

SHARED = Path(__file__).parents[1].parent / "shared"
INTEROP = Path(__file__).parent / "data" / "interop"


class Raw(str):
    """A JSON text that is written into a file without a change, valid or not."""

    __slots__ = ()


RECORD: Mapping[str, Any] = {
    "context": "alpha",
    "seed": 7,
    "thread_id": "1",
    "acquired_at": "2026-01-01T00:00:00Z",
    "released_at": "2026-01-01T00:00:01Z",
    "duration_ms": Raw("1000.000"),
    "stability_score": 1,
}
"""A valid record of the specification."""


def json_text(value: Any) -> str:
    """A value as JSON; ``Raw`` text is inserted without a change."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{json_text(member)}" for key, member in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def record(*, without: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """A valid record with some fields changed, added or left out."""
    return {key: value for key, value in {**RECORD, **changes}.items() if key not in without}


def session(*records: Any, **top: Any) -> bytes:
    """A session file of the specification; ``records`` and other top-level fields can be given by name."""
    document = {"stability_score": Raw("1.000000"), "records": list(records), **top}
    return json_text(document).encode("utf-8", "surrogateescape")


def producer_session(*records: Mapping[str, Any], device: str = "node-a", score: float = 1.0) -> bytes:
    """A session file byte for byte as the C++ producer writes it, with its legacy fields."""
    legacy = {"backend": "CPU", "deviceName": device, "device_name": device}
    rows = []
    for fields in records:
        given = {**RECORD, **fields}
        order = {"context": given["context"], "seed": given["seed"], **legacy, **given}
        rows.append(json_text(order))
    top = json_text({**legacy, "stability_score": Raw(f"{score:.6f}")})
    return f'{top[:-1]},"records": [{", ".join(rows)}] }}'.encode()


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


GOOD = session(record())
"""A valid session."""


def numbered(seed: int) -> bytes:
    """A valid session that differs from those with other seeds."""
    return session(record(seed=seed))


def itself(batch: Batch) -> Batch:
    """The batch itself: a reduction that can be pickled."""
    return batch


def drain(reader: Reader) -> None:
    """Read everything, for the counts that reading collects."""
    for _ in reader.fold(itself):
        pass


def names(telemetry: Telemetry) -> list[str]:
    """The names of the files that were read, without their folders."""
    return [Path(source).name for source in telemetry.sessions["source"]]


def decode(*documents: bytes, learnt: KeyLayouts | None = None, options: DecodeOptions = DEFAULT_OPTIONS) -> Batch:
    """Decode documents as the files ``0.json``, ``1.json`` and so on, by default without any known layout.

    Where the native decoder is installed, it must give the same tables.
    """
    names = [f"{number}.json" for number in range(len(documents))]
    builder = BatchBuilder(RECORDS.names, learnt or KeyLayouts(), options)
    for name, data in zip(names, documents, strict=True):
        builder.add(name, data)
    batch = builder.build()
    if kernel := load_kernel():
        assert_equal(decode_natively(kernel, names, documents, options), batch)
    return batch


def decode_natively(kernel: Kernel, names: Sequence[str], documents: Sequence[bytes], options: DecodeOptions) -> Batch:
    """Decode documents with the native decoder, and in Python those that it does not accept."""
    accepted, doubtful = decode_accepted(kernel, documents, names, RECORDS.names, rows_per_rule=options.rows_per_rule)
    builder = BatchBuilder(RECORDS.names, KeyLayouts(), options)
    for index in doubtful:
        builder.add(names[index], documents[index])
    return batch_of([accepted, builder.take().with_files(doubtful)], RECORDS.names)


def assert_equal(one: Batch, other: Batch) -> None:
    """Check that two batches are equal to the last bit."""
    for name in ("sessions", "records", "violations"):
        assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert one.seed_sums.equals(other.seed_sums)


@pytest.fixture(params=["native", "python"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with each of the two decoders."""
    if request.param == "native" and load_kernel() is None:
        pytest.skip("clamp-analytics-kernel is not installed")
    monkeypatch.setenv(KERNEL_VARIABLE, "on" if request.param == "native" else "off")
    return str(request.param)


@pytest.fixture
def without_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with the decoder in Python, and so with worker processes."""
    monkeypatch.setenv(KERNEL_VARIABLE, "off")


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Runs code in forks of a process that has imported what reads files."""
    with fork_server(READING, tmp_path_factory.mktemp("forks")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server that all tests share; each test has folders of its own."""
    with s3_server(tmp_path_factory.mktemp("s3") / "data") as url:
        # The first object creates the bucket.
        obstore.put(open_bucket(url), "first", b"")
        yield url


@pytest.fixture
def s3_proxy(s3_url: str) -> Iterator[Proxy]:
    """A proxy in front of the server, which counts requests and injects faults."""
    with fault_proxy(s3_url) as proxy:
        yield proxy


Found = tuple[str, int | None, str | None, str | None]
"""Rule, record index, field and value of a violation."""


def faults(found: Batch | Telemetry, *, at_least: str = "error") -> list[Found]:
    """The violations of a severity and above, in order."""
    severities = ["error", "warning", "info"]
    wanted = severities[: severities.index(at_least) + 1]
    return (
        found.violations.filter(pl.col("severity").is_in(wanted))
        .select("rule", "record_index", "field", "value")
        .rows()
    )


def only(frame: pl.DataFrame) -> dict[str, Any]:
    """The only row of a frame."""
    (row,) = frame.iter_rows(named=True)
    return row


def statuses(found: Batch | Telemetry) -> list[str]:
    """The status of each file, in order."""
    return found.sessions["status"].to_list()


@pytest.fixture
def interop(tmp_path: Path) -> Path:
    """A copy of the C++ producer's session files, without the results of its own tools."""
    folder = tmp_path / "sessions"
    folder.mkdir()
    for path in sorted(INTEROP.glob("*.json")):
        if path.name != "expected.json":
            shutil.copyfile(path, folder / path.name)
    return folder


def run_python(code: str, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run code in a new process, which fails after a timeout instead of running forever."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], input=data, capture_output=True, timeout=60, check=False
    )


@pytest.fixture(scope="session")
def command_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Runs code in forks of a process that has imported the package."""
    with fork_server(EVERYTHING, tmp_path_factory.mktemp("commands")) as server:
        yield server


@pytest.fixture
def clamp(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Ended]:
    """``clamp("summarize", "x")`` runs the command as a user does, in a process and a folder of its own."""

    def run(*arguments: object, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ended:
        words = [*map(str, arguments)]
        environment = {**os.environ, "COLUMNS": "120", **(env or {})}
        # Python reads these when it starts.
        if any(name.startswith("PYTHON") for name in env or {}):
            return run_in_new_process(words, tmp_path, stdin, environment)
        server: ForkServer = request.getfixturevalue("command_server")
        return server.run(COMMAND, *words, folder=tmp_path, stdin=stdin, env=environment)

    return run
