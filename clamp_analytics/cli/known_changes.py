"""The file of known changes: where it is, reading it, and adding an incident to it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.settings import read_settings
from clamp_analytics.errors import UsageError, did_you_mean
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    from clamp_analytics.analysis.drift import Drift
    from clamp_analytics.analysis.incidents.known_changes import KnownChange
    from clamp_analytics.analysis.options import DriftOptions


def known_changes_file(named: str | None, chosen: DriftOptions) -> Path | None:
    """The file of known changes: as named on the command line, else as in pyproject.toml, relative to that file.

    Args:
        named: the path from the command line; None where it was not given.
        chosen: the options, with those of pyproject.toml.
    """
    if named is not None:
        return Path(named)
    if chosen.known_changes is None:
        return None
    return Path(read_settings().file).parent / chosen.known_changes


def read_entries(file: Path, *, must_exist: bool) -> list[KnownChange]:
    """The entries of the file; none where it does not exist yet.

    Raises:
        UsageError: the file is wrong, or it must exist and does not.
    """
    from clamp_analytics.analysis.incidents.known_changes import read_known_changes

    return read_known_changes(file) if must_exist or file.exists() else []


def add_entries(found: Drift, incident_id: str, file: Path | None, reason: str | None, decided_by: str | None) -> None:
    """Add the changes of an incident that are not known yet to the file.

    Raises:
        UsageError: there is no such incident, no file, or no reason.
        OutputError: the file cannot be written.
    """
    from clamp_analytics.analysis.incidents.known_changes import KnownChange, with_entries
    from clamp_analytics.atomic_files import publish

    if file is None:
        raise UsageError(
            "there is no file of known changes",
            hint="name it with --known-changes FILE, or known_changes in [tool.clamp-analytics.drift]",
        )
    if not reason:
        raise UsageError("--acknowledge needs a reason", hint='for example --reason "checks bounds now"')
    reports = {report.incident.id: report for report in found.incidents}
    if incident_id not in reports:
        hint = did_you_mean(incident_id, reports, f"there are {', '.join(reports)}" if reports else "there is none")
        raise UsageError("there is no such incident", where=f"--acknowledge {incident_id}", hint=hint)
    report, timeline = reports[incident_id], found.timeline
    entries = [
        KnownChange(
            group=dict(zip(found.by, (value or "" for value in change.group), strict=True)),
            metric=change.metric,
            direction=change.direction,
            started_at=timeline.started_at[change.first_bad],
            label={},
            session=Path(timeline.sources[change.first_bad]).name,
            reason=reason,
            decided_by=decided_by or getpass.getuser(),
        )
        for change, entry in zip(report.incident.changes, report.acknowledged, strict=True)
        if entry is None and change.direction == "worse"
    ]
    if not entries:
        tell(f"every change for the worse of incident {incident_id} is known already")
        return
    text = file.read_text("utf-8") if file.exists() else ""
    publish(file, [with_entries(text, entries).encode()], overwrite=True)
    tell(f"added {plural(len(entries), 'change')} of incident {incident_id} to {file}")
