"""The pytest option ``--clamp-telemetry DIR``: one session file per test run, one record per test.

Every pytest run in an environment with this package imports this module, so it imports the recorder only if
the option is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_OPTION = "--clamp-telemetry"
_WORKER_OUTPUT = "clamp_telemetry"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--clamp-telemetry``."""
    parser.getgroup("clamp", "Clamp telemetry").addoption(
        _OPTION,
        metavar="DIR",
        default=None,
        help="record each test as an anchor event and write one session file into DIR",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start recording if the option is given."""
    directory = config.getoption(_OPTION)
    if directory is not None:
        config.pluginmanager.register(TelemetryPlugin(config, directory), "clamp-telemetry-run")


class TelemetryPlugin:
    """Records the tests of one process; with pytest-xdist, the workers send their records to the controller.

    Args:
        config: configuration of the run.
        directory: folder of the session file.
    """

    def __init__(self, config: pytest.Config, directory: str) -> None:
        from clamp_analytics.recorder import EntropyTelemetry, set_default_telemetry

        self._is_worker = hasattr(config, "workerinput")
        self._telemetry = EntropyTelemetry(directory)
        # Anchors in the code under test record into the same session.
        self._previous = set_default_telemetry(self._telemetry)
        self._worker_sessions: list[str] = []
        self._lost_workers = 0
        self._outcome = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record one test; it scores 0.0 if it fails, and 1.0 if it passes, is skipped or fails as expected."""
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
        """Collect the records of a pytest-xdist worker."""
        session = getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT)
        if session is None:
            self._lost_workers += 1
        else:
            self._worker_sessions.append(session)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the session file, or send the records to the controller if this is a worker."""
        from clamp_analytics.errors import OutputError
        from clamp_analytics.recorder import set_default_telemetry

        set_default_telemetry(self._previous)
        if self._is_worker:
            session.config.workeroutput[_WORKER_OUTPUT] = self._telemetry.to_json()  # type: ignore[attr-defined]
            return
        try:
            self._outcome = f"session written to {self._write()}"
        except OutputError as error:
            self._outcome = str(error)
        if self._lost_workers:
            self._outcome += f"\n{self._lost_workers} worker(s) ended without sending their records"

    def _write(self) -> Path:
        for text in self._worker_sessions:
            self._telemetry.merge_json(text)
        return self._telemetry.write_json()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the path of the session file, or why there is none."""
        if self._outcome:
            terminalreporter.section("clamp telemetry")
            terminalreporter.write_line(self._outcome)
