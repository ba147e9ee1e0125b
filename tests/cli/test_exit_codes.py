"""The exit code of each kind of error."""

import pytest

from clamp_analytics.cli.exit_codes import ExitCode, exit_code_of
from clamp_analytics.errors import ClampError, OutputError, QueryError, SourceError, UsageError, WorkerError


class NarrowSourceError(SourceError):
    """A kind of error that the table of exit codes does not have."""


@pytest.mark.parametrize(
    ("kind", "code"),
    [(UsageError, 2), (QueryError, 2), (SourceError, 3), (OutputError, 3), (WorkerError, 3), (ClampError, 3)],
)
def test_each_kind_of_error_has_its_exit_code(kind, code):
    assert exit_code_of(kind("x")) == code


def test_a_subclass_has_the_exit_code_of_its_base_class():
    assert exit_code_of(NarrowSourceError("x")) is ExitCode.UNUSABLE
