"""The native decoder, where it is installed, against the reference reader: no file that it accepts has a fault."""

from __future__ import annotations

from pathlib import Path

from clamp_analytics.decode.accepted import decode_accepted
from clamp_analytics.decode.decoded_files import batch_of
from clamp_analytics.decode.kernel import load_kernel
from clamp_analytics.schema import RECORDS
from fuzz.decode import compare
from tests.reading import reference


class NativeTarget:
    """Decodes the inputs natively, and compares the files that are accepted; the others are those of ``decode``."""

    max_bytes = 320
    batch = 1000
    dictionary = "session.dict"

    def __init__(self) -> None:
        self._kernel = load_kernel()
        self._documents: list[bytes] = []

    def run(self, data: bytes) -> None:
        self._documents.append(data)
        # The branches of the reference guide the fuzzer.
        reference.read(data)
        if len(self._documents) >= self.batch:
            self.finish()

    def finish(self) -> None:
        documents, self._documents = self._documents, []
        if self._kernel is None:
            return
        names = [f"{number}.json" for number in range(len(documents))]
        accepted, doubtful = decode_accepted(self._kernel, documents, names, RECORDS.names)
        refused = set(doubtful)
        kept = [data for number, data in enumerate(documents) if number not in refused]
        compare(kept, batch_of([accepted], RECORDS.names))


def target(_folder: Path) -> NativeTarget:
    return NativeTarget()
