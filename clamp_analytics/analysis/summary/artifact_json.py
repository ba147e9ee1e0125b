"""The JSON text of the summary artifact: exactly the specification's fields, in both casings.

Source: Clamp Telemetry Specification v0.5, "Summary Artifact".
"""

from __future__ import annotations

import json
from pathlib import Path

from clamp_analytics.analysis.summary.fold import Group
from clamp_analytics.errors import UsageError
from clamp_analytics.path_names import display_name

DECIMALS = 6
"""Decimals of the mean according to the specification; the producer prints every figure with them."""


def artifact(total: Group, directory: str, build_info: str | None = None) -> str:
    """Render the artifact as JSON.

    Args:
        total: the statistics of all records.
        directory: the absolute folder that was searched for sessions.
        build_info: JSON text of the provenance snapshot, which is copied verbatim.
    """
    figures = {
        "source_directory": json.dumps(directory, ensure_ascii=False),
        "session_count": str(total.scores.count),
        "mean_stability": _fixed(total.scores.mean or 0.0),
        "stability_variance": _fixed(total.scores.sample_variance or 0.0, keep_small=True),
        "drift_index": _fixed(total.drift_index_ms),
    }
    if build_info is not None:
        figures["build_info"] = build_info.strip()
    lines = [f'  "{name}": {text}' for key, text in figures.items() for name in (key, _camel_case(key))]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _fixed(number: float, *, keep_small: bool = False) -> str:
    """A number with six decimals; with ``keep_small``, six significant digits where all decimals would be 0."""
    text = f"{number:.{DECIMALS}f}"
    return repr(float(f"{number:.6g}")) if keep_small and number and not float(text) else text


def read_snapshot(path: Path) -> str:
    """Read the text of a provenance snapshot.

    Raises:
        UsageError: it cannot be read, or is not a JSON object.
    """
    try:
        text = path.read_text("utf-8")
        ok = isinstance(json.loads(text, parse_constant=_refuse), dict)
    except OSError as error:
        raise UsageError.from_os_error("the snapshot cannot be used", error, where=display_name(path)) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the snapshot cannot be used: {error}", where=display_name(path)) from error
    if not ok:
        raise UsageError("the snapshot is not a JSON object", where=display_name(path))
    return text


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
