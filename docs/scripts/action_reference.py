"""The reference of the GitHub action, from ``action.yml``."""

from __future__ import annotations

from pathlib import Path

import yaml

ACTION = Path(__file__).resolve().parents[2] / "action.yml"


def inputs() -> str:
    """The inputs of the action with default and meaning."""
    action = yaml.safe_load(ACTION.read_text("utf-8"))
    rows = ["| input | default | meaning |", "|---|---|---|"]
    for name, given in action["inputs"].items():
        default = f"`{given['default']}`" if given["default"] else "empty"
        rows.append(f"| `{name}` | {default} | {given['description']} |")
    return "\n".join(rows) + "\n"
