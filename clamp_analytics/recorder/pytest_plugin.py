"""``pytest --clamp-telemetry DIR``: one session file per test run, one record per test.

This module is imported by every pytest run of whoever has the package installed, so it imports nothing of
the recorder before the option is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_OPTION = "--clamp-telemetry"
_SENT = "clamp_telemetry"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--clamp-telemetry``."""
    parser.getgroup("clamp", "Clamp telemetry").addoption(
        _OPTION,
        metavar="DIR",
        default=None,
        help="record each test as an anchor event and write one session file into DIR",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start recording where the option is given."""
    directory = config.getoption(_OPTION)
    if directory is not None:
        config.pluginmanager.register(TelemetryPlugin(config, directory), "clamp-telemetry-run")


class TelemetryPlugin:
    """Records the tests of one process; with pytest-xdist, the workers send theirs to the one that started them.

    Args:
        config: configuration of the run.
        directory: where the session file goes.
    """

    def __init__(self, config: pytest.Config, directory: str) -> None:
        from clamp_analytics.recorder import EntropyTelemetry, set_default_telemetry

        self._is_worker = hasattr(config, "workerinput")
        self._telemetry = EntropyTelemetry(directory)
        # Anchors in the code under test go into the same session.
        self._previous = set_default_telemetry(self._telemetry)
        self._sent: list[str] = []
        self._lost_workers = 0
        self._outcome = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record one test: 0.0 where it fails, 1.0 where it passes, is skipped or fails as expected."""
        from clamp_analytics.recorder import ClampAnchor

        anchor = ClampAnchor(item.nodeid, self._telemetry)
        with anchor:
            try:
                return (yield)
            except (pytest.skip.Exception, pytest.xfail.Exception):
                anchor.release()
                raise
            except BaseException:
                if item.get_closest_marker("xfail") is not None:
                    anchor.release()
                raise

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take what a worker of pytest-xdist recorded."""
        sent = getattr(node, "workeroutput", {}).get(_SENT)
        if sent is None:
            self._lost_workers += 1
        else:
            self._sent.append(sent)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the session file; a worker sends its records instead."""
        from clamp_analytics.errors import OutputError
        from clamp_analytics.recorder import set_default_telemetry

        set_default_telemetry(self._previous)
        if self._is_worker:
            session.config.workeroutput[_SENT] = self._telemetry.to_json()  # type: ignore[attr-defined]
            return
        try:
            self._outcome = f"session written to {self._write()}"
        except OutputError as error:
            self._outcome = str(error)
        if self._lost_workers:
            self._outcome += f"\n{self._lost_workers} worker(s) ended without sending their records"

    def _write(self) -> Path:
        for text in self._sent:
            self._telemetry.merge_json(text)
        return self._telemetry.write_json()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the session file is, or why there is none."""
        if self._outcome:
            terminalreporter.section("clamp telemetry")
            terminalreporter.write_line(self._outcome)
