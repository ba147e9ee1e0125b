"""What happens to telemetries when the process forks or ends."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING
from weakref import WeakSet

from clamp_analytics.recorder import deferral, origins, sigterm

if TYPE_CHECKING:
    from clamp_analytics.recorder.telemetry import EntropyTelemetry

_telemetries: WeakSet[EntropyTelemetry] = WeakSet()


def watch(telemetry: EntropyTelemetry, *, on_sigterm: bool, at_exit: bool) -> None:
    """Tell a telemetry of forks, and of SIGTERM and the exit where it wants to know.

    Raises:
        UsageError: SIGTERM cannot be caught from here.
    """
    if on_sigterm:
        sigterm.catch(telemetry)
    if at_exit:
        atexit.register(telemetry.write_at_exit)
    _telemetries.add(telemetry)


def unwatch(telemetry: EntropyTelemetry) -> None:
    """Forget a telemetry that was closed."""
    atexit.unregister(telemetry.write_at_exit)
    sigterm.release(telemetry)


def _after_fork_in_child() -> None:
    deferral.forget_after_fork()
    sigterm.watch_after_fork()
    origins.rename_after_fork()
    for telemetry in _telemetries:
        telemetry.leave_to_parent()
    sigterm.let_through()


os.register_at_fork(before=sigterm.hold_back, after_in_parent=sigterm.let_through, after_in_child=_after_fork_in_child)


def hook_multiprocessing(telemetry: EntropyTelemetry) -> None:
    """Have the exit hook called in a child of multiprocessing, which ends without those of ``atexit``.

    Multiprocessing forgets its finalizers on the way into a child, then calls what asked for it; so both
    ways are taken, and whichever comes second finds everything written.
    """
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    util.register_after_fork(telemetry, _finish_with_multiprocessing)
    _finish_with_multiprocessing(telemetry)


def _finish_with_multiprocessing(telemetry: EntropyTelemetry) -> None:
    from multiprocessing import parent_process, util

    def finish() -> None:
        if parent_process() is not None:
            telemetry.write_at_exit()

    # After the finalizers of the user's with a higher priority, as atexit would order them.
    util.Finalize(None, finish, exitpriority=-100)
