"""The notebooks run top to bottom on the samples, and are stored without outputs."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[dict[str, object]]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= {"tour", "drift_exploration", "compare_backends"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    assert [(cell["outputs"], cell["execution_count"]) for cell in code_cells(path)] == [([], None)] * len(
        code_cells(path)
    )


# Jupyter warns about its own sockets and event loops.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_top_to_bottom(path, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    config = pytest.importorskip("traitlets.config").Config()
    # Kernels that start at the same moment may be given the same TCP port.
    config.KernelManager.transport = "ipc"
    config.KernelManager.ip = str(tmp_path / "kernel")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}

    done = nbclient.NotebookClient(notebook, timeout=300, resources=resources, config=config).execute()

    assert all(cell.execution_count for cell in done.cells if cell.cell_type == "code")
