"""What does splitting cost and save on a board? Layer-wise against split, on the same executor and kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any

from tflm_split.analysis.latency import Prediction, predict
from tflm_split.board.boards import board_named
from tflm_split.board.firmware import describe_compiler
from tflm_split.board.layer_wise import layer_wise_model
from tflm_split.board.run import BoardRun, run_on_board
from tflm_split.board.toolchain import require_tools
from tflm_split.errors import InputError, ToolError, VerificationError
from tflm_split.options import Options
from tflm_split.pipeline import optimize
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs

SEED = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One model. Each of `layer_wise` and `split` is what the board measured, or a sentence that says why it does not run."""

    model: str
    layer_wise: BoardRun | str
    split: BoardRun | str
    prediction: Prediction | None = None
    """The prediction for the split model. None where the model did not run, or where portable kernels were asked for."""

    @property
    def instruction_ratio(self) -> float | None:
        """Instructions of split over layer-wise; None unless both ran."""
        if isinstance(self.split, str) or isinstance(self.layer_wise, str):
            return None
        return self.split.instructions / self.layer_wise.instructions

    @property
    def prediction_error(self) -> float | None:
        """Predicted over measured instructions of the split model, minus 1; None unless both are known."""
        if isinstance(self.split, str) or self.prediction is None:
            return None
        return self.prediction.instructions / self.split.instructions - 1


@dataclass(frozen=True, slots=True)
class Bench:
    """All models on one board."""

    board: str
    compiler: str
    rows: tuple[Row, ...]

    @property
    def geometric_mean_ratio(self) -> float | None:
        """The geometric mean of instruction ratios, over the models that ran both ways; None when none did."""
        ratios = [r.instruction_ratio for r in self.rows if r.instruction_ratio is not None]
        return exp(sum(map(log, ratios)) / len(ratios)) if ratios else None

    @property
    def largest_prediction_error(self) -> float | None:
        """The prediction error of largest magnitude; None when nothing was predicted."""
        errors = [r.prediction_error for r in self.rows if r.prediction_error is not None]
        return max(errors, key=abs) if errors else None

    def record(self) -> dict[str, Any]:
        """The JSON record of `board bench`."""
        return {
            "board": self.board,
            "compiler": self.compiler,
            "geometric_mean_instruction_ratio": self.geometric_mean_ratio,
            "largest_prediction_error": self.largest_prediction_error,
            "models": [
                {
                    "model": row.model,
                    "instruction_ratio": row.instruction_ratio,
                    "predicted_instructions": row.prediction.instructions if row.prediction else None,
                    "prediction_error": row.prediction_error,
                    "unmeasured_kinds": list(row.prediction.unmeasured_kinds) if row.prediction else [],
                    "layer_wise": _side(row.layer_wise),
                    "split": _side(row.split),
                }
                for row in self.rows
            ],
        }

    def table(self) -> str:
        """A table with one line per model. RAM, stack, flash and executor are in bytes."""
        head = (
            "model",
            "layer-wise instr",
            "split instr",
            "ratio",
            "predicted",
            "error",
            "layer-wise RAM",
            "split RAM",
            "stack",
            "flash",
            "executor",
        )
        lines: list[tuple[str, ...]] = [head]
        notes = []
        for row in self.rows:
            whole, split = row.layer_wise, row.split
            lines.append(
                (
                    row.model,
                    *_cells(whole, "instructions"),
                    *_cells(split, "instructions"),
                    "-" if row.instruction_ratio is None else f"{row.instruction_ratio:.3f}",
                    "-" if row.prediction is None else f"{row.prediction.instructions:,}",
                    "-" if row.prediction_error is None else f"{row.prediction_error:+.1%}",
                    *_cells(whole, "ram_bytes"),
                    *_cells(split, "ram_bytes", "stack_bytes", "flash_bytes", "executor_bytes"),
                )
            )
            notes += [
                f"{row.model}, {n}: {s}" for n, s in (("layer-wise", whole), ("split", split)) if isinstance(s, str)
            ]
        widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
        text = [
            "  ".join(c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True)))
            for line in lines
        ]
        mean = self.geometric_mean_ratio
        summary = [] if mean is None else [f"split / layer-wise instructions, geometric mean: {mean:.3f}"]
        if self.largest_prediction_error is not None:
            summary.append(f"predicted instructions, largest error: {self.largest_prediction_error:+.1%}")
        return "\n".join([f"{self.board}: {self.compiler}", *text, *summary, *notes]) + "\n"


def bench(
    models: Sequence[os.PathLike[str] | str],
    board: str,
    *,
    int8_io: bool = False,
    portable: bool = False,
    inputs: int = 2,
) -> Bench:
    """Run every model on `board`, layer-wise and split, on the same `inputs` inputs.

    A model that cannot run on the board becomes a row that says why. Raises InputError with the first of these reasons
    when no model runs, ToolError when a tool is missing or fails, VerificationError when the two sides give different
    outputs.
    """
    target = board_named(board)
    require_tools(target.toolchain)
    rows = tuple(_rows(models, target.name, int8_io, portable, inputs))
    if all(isinstance(row.split, str) and isinstance(row.layer_wise, str) for row in rows):
        raise InputError(str(rows[0].split) if rows else "there is no model to measure")
    return Bench(target.name, describe_compiler(target), rows)


def _rows(
    models: Sequence[os.PathLike[str] | str], board: str, int8_io: bool, portable: bool, inputs: int
) -> Iterator[Row]:
    for path in models:
        whole = _measured(path, board, int8_io, portable, inputs, split=False)
        split = _measured(path, board, int8_io, portable, inputs, split=True)
        if isinstance(whole, BoardRun) and isinstance(split, BoardRun) and whole.outputs != split.outputs:
            raise VerificationError(f"{path}: split and layer-wise give different outputs on {board}")
        yield Row(Path(path).stem, whole, split, None if portable else _predicted(split, board))


def _predicted(run: BoardRun | str, board: str) -> Prediction | None:
    return None if isinstance(run, str) else predict(run.program, board)


def _measured(
    path: os.PathLike[str] | str, board: str, int8_io: bool, portable: bool, inputs: int, *, split: bool
) -> BoardRun | str:
    try:
        split_options = Options(int8_io=int8_io, verify=False)
        model = optimize(path, split_options).model if split else layer_wise_model(path, int8_io=int8_io)
        arrays = test_inputs(read_model(model).graph, inputs, SEED)
        return run_on_board(model, board, arrays, portable=portable, name=Path(path).stem)
    except ToolError:
        raise
    except InputError as error:
        return str(error)


def _side(side: BoardRun | str) -> dict[str, Any]:
    return {"not_run": side} if isinstance(side, str) else side.record()


def _cells(side: BoardRun | str, *names: str) -> tuple[str, ...]:
    return tuple("-" if isinstance(side, str) else f"{getattr(side, name):,}" for name in names)
