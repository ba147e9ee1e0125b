"""Sphinx extension: notebooks as pages of the site, with the outputs of a run.

Notebooks are stored without outputs. With the configuration value ``run_notebooks`` the build runs them, as
``make docs`` does; otherwise their pages show the code alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from myst_parser.parsers.sphinx_ import MystParser
from sphinx.application import Sphinx


class NotebookParser(MystParser):
    """Parses a notebook as the Markdown page that it becomes."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document: Any) -> None:
        """Parse a notebook, which is run before if the configuration says so."""
        notebook = json.loads(inputstring)
        if document.settings.env.config.run_notebooks:
            notebook = run(inputstring, Path(document["source"]).resolve().parent)
        super().parse(page(notebook), document)


def run(text: str, folder: Path) -> Mapping[str, Any]:
    """A notebook with the outputs of a run from top to bottom."""
    import nbclient
    import nbformat

    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    done: Mapping[str, Any] = client.execute()
    return done


def page(notebook: Mapping[str, Any]) -> str:
    """A notebook as MyST Markdown."""
    return "\n\n".join(part for cell in notebook["cells"] for part in _cell(cell)) + "\n"


def _cell(cell: Mapping[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield _fenced("{code-block} python", source)
    for output in cell["outputs"]:
        yield _output(output)


def _output(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _fenced("text", "".join(output["text"]).rstrip())
    data = output["data"]
    if "text/html" in data:
        return _fenced("{raw} html", f'<div class="notebook-output">{"".join(data["text/html"])}</div>')
    return _fenced("text", "".join(data["text/plain"]))


def _fenced(language: str, content: str) -> str:
    fence = "```"
    while fence in content:
        fence += "`"
    return f"{fence}{language}\n{content}\n{fence}"


def setup(app: Sphinx) -> dict[str, object]:
    """Register the parser."""
    app.add_config_value("run_notebooks", default=False, rebuild="env", types=[bool, int, str])
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(NotebookParser)
    return {"parallel_read_safe": True}
