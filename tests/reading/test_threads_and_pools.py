"""Reading inside threads and inside the processes of another pool."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clamp_analytics.reading import load
from tests.conftest import numbered, write

IN_A_POOL = """
import multiprocessing, sys
from clamp_analytics.reading import ReadingOptions, load

def read(path):
    return str(load(path, jobs=2, options=ReadingOptions(workers_from_bytes=1)).counts)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(read, [sys.argv[1]])[0])
"""


def test_a_worker_of_a_multiprocessing_pool_reads_with_one_job(tmp_path: Path) -> None:
    folder = write(tmp_path / "heap", {f"{n}.json": numbered(n) for n in range(1, 9)})
    script = tmp_path / "script.py"
    script.write_text(IN_A_POOL)

    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, timeout=120, check=False)

    assert (done.stdout, done.stderr) == ("8 seen = 8 loaded + 0 rejected + 0 skipped\n", "")


def test_several_threads_may_load_at_the_same_time(tmp_path: Path) -> None:
    # Files with other keys have other layouts, which move within the list of known layouts.
    keys = [f"key{n}" for n in range(12)]
    documents = {f"{n}.json": numbered(n).replace(b'{"', f'{{"{keys[n % 12]}":1,"'.encode(), 1) for n in range(1, 60)}
    folder = write(tmp_path, documents)
    expected = load(folder, jobs=1)

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: load(folder, jobs=1), range(8)))

    assert all(result.records.equals(expected.records) for result in results)
