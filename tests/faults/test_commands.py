"""The calls that the tests of faults make are one of every command."""

from tests.faults.commands import CALLS, command_names


def test_every_command_has_a_call():
    assert sorted(CALLS) == sorted(command_names())
