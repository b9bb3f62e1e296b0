"""The notebooks of docs/notebooks/: they are what their script writes, they run, and each cell shows something."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (the extra `test`)")
pytest.importorskip("nbclient", reason="nbclient is not installed (the extra `test`)")
pytest.importorskip("PIL", reason="Pillow, which matplotlib brings, is not installed (the extra `report`)")
pytest.importorskip("ipykernel", reason="ipykernel is not installed (the extra `test`)")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import write_notebooks  # noqa: E402  # scripts/ is no package

SMALL = f'MODEL = {str(ROOT / "models" / "digits_autoencoder.tflite")!r}\nEFFORT = "low"\nARENA = "1KB"'
SHORT = {
    "a_network_that_is_too_large": f'DIGITS = {str(ROOT / "models" / "digits_test.npz")!r}\nEPOCHS = 2\nARENA = "1800B"'
}
"""Notebooks that train, which takes TensorFlow -> their parameters."""
NAMES = sorted(write_notebooks.CELLS)


def stored(name: str) -> Any:
    return nbformat.read(write_notebooks.NOTEBOOKS / f"{name}.ipynb", as_version=4)


def shown(cell: Any) -> set[str]:
    """The kinds of output of a cell: MIME types, `stdout` and `stderr`. An error is a failure."""
    kinds: set[str] = set()
    for output in cell.outputs:
        assert output.output_type != "error"
        kinds |= set(output.data) if "data" in output else {output.name}
    return kinds


def code_cells(notebook: Any) -> list[Any]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in cells if "parameters" not in cell.metadata.get("tags", ())]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_with_what_it_shows(name: str) -> None:
    """To update: `python scripts/write_notebooks.py`."""
    notebook = stored(name)
    assert [cell.source for cell in notebook.cells] == [source for _, source in write_notebooks.CELLS[name]]
    for cell in code_cells(notebook):
        assert shown(cell) & {"text/html", "image/png", "stdout"}, cell.source
        assert "stderr" not in shown(cell), cell.source
    assert {"text/html", "image/png", "stdout"} <= set().union(*map(shown, code_cells(notebook)))
    text = (write_notebooks.NOTEBOOKS / f"{name}.ipynb").read_text("utf-8")
    assert len(text) < 100_000
    assert str(ROOT) not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in SHORT:
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = write_notebooks.executed(write_notebooks.CELLS[name], tmp_path, SHORT.get(name, SMALL))
    for cell in code_cells(notebook):
        assert shown(cell) & {"text/html", "image/png", "stdout"}, cell.source
