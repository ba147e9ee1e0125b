"""What a fuzz target is: a check of the package against something independent, for any bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

INSTRUMENTED: Mapping[str, Sequence[str]] = {
    "decode": ("clamp_analytics.decode",),
    # It is compiled, so the branches of the reference guide the fuzzer, as they do for Polars below.
    "native": ("tests.reading",),
    "containers": ("clamp_analytics.sources",),
    "timestamps": ("clamp_analytics.decode.timestamps", "tests.reading"),
    "sql": ("clamp_analytics.database",),
    "rewrite": ("clamp_analytics.rewrite",),
}
"""The targets, each with the modules whose branches guide the fuzzer."""


class DifferenceError(AssertionError):
    """The package and the independent computation disagree.

    Attributes:
        data: the input.
    """

    def __init__(self, data: bytes, what: str) -> None:
        self.data = data
        super().__init__(what)


class Target(Protocol):
    """A check of the package.

    Attributes:
        max_bytes: the length of an input.
        batch: how many inputs are checked at once, where that is cheaper than one at a time.
        dictionary: the name of a file in ``dictionaries`` with tokens for the mutations, or an empty text.
    """

    max_bytes: int
    batch: int
    dictionary: str

    def run(self, data: bytes) -> None:
        """Check one input, or keep it to be checked with others.

        Raises:
            DifferenceError: the package is wrong.
        """

    def finish(self) -> None:
        """Check the inputs that were kept.

        Raises:
            DifferenceError: the package is wrong.
        """
