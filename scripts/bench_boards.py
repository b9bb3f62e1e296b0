"""What does a split model take on a board, against stock TFLM with CMSIS-NN, and how well is that predicted?

`python scripts/bench_boards.py [file.tflite ...] [--board m7 ...] [--json FILE] [--update]`; without files, `models/` and, where
it is there, the models of `../shared/corpus/models` that are one region (`CORPUS`). Each model runs on the emulated boards
layer-wise and split, as `tflm-split board bench` does it; one with a float interface once more with `--int8-io`. Prints
Markdown; `--update` puts the tables into docs/benchmarks.md. What stock TFLM takes is read from `stock_instructions.csv`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench_memory import BENCHMARKS, ROOT, updated

from tflm_split.board.bench import Row, bench
from tflm_split.board.boards import BOARDS
from tflm_split.board.run import BoardRun
from tflm_split.errors import InputError
from tflm_split.report.table import markdown_table
from tflm_split.tflite.reader import read_model

CORPUS_FOLDER = ROOT.parent / "shared" / "corpus" / "models"
CORPUS = (
    "mlperf_vww96_int8", "mlperf_kws_int8", "mlperf_resnet8_int8", "mlperf_strww_int8", "mlperf_ad01_int8", "person_detect",
    "micro_speech", "sil_rock_paper_scissors", "sil_kws_mobilenetv2", "sil_kws_on_off_v3", "mcunet_vww0_tinyts",
    "mcunet_vww1_tinyts", "mcunet_person_det", "seeed_fomo_mbv2_035", "vww_micronet_vww2", "kws_micronet_l",
    "ad_micronet_large", "gen_mbv3s_035_96", "coral_tf2_mbv2_100_224_ptq",
)  # fmt: skip
DEFAULT_BOARDS = ("m4", "m7", "m55")
STOCK_PATH = Path(__file__).with_name("stock_instructions.csv")
TAKES_HEADER = (
    "model", "board", "instructions stock", "layer-wise", "split", "split / stock", "RAM stock", "RAM split", "flash stock",
    "flash split", "of it code",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Instructions, RAM and flash on emulated boards, and their prediction."
    )
    parser.add_argument("models", nargs="*", type=Path, metavar="file.tflite")
    parser.add_argument("--board", action="append", choices=list(BOARDS), help="default: m4, m7 and m55")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there")
    parser.add_argument("--update", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    boards = tuple(arguments.board or DEFAULT_BOARDS)
    paths = arguments.models or [
        *sorted((ROOT / "models").glob("*.tflite")),
        *(p for p in (CORPUS_FOLDER / f"{name}.tflite" for name in CORPUS) if p.exists()),
    ]
    found = {(path, int8_io): rows for path in paths for int8_io, rows in _measured(path, boards).items()}
    tables = {"boards": _takes(found), "latency": _predicted(found, boards)}
    print("\n".join(tables.values()))
    print(_largest_errors(found, boards))
    if arguments.json:
        arguments.json.write_text(json.dumps([_record(*item) for item in found.items()], indent=1) + "\n")
    if arguments.update:
        BENCHMARKS.write_text(updated(BENCHMARKS.read_text(), tables))


Found = Mapping[tuple[Path, bool], Mapping[str, Row]]
"""For a model, without and with `--int8-io`, what each board that ran it measured."""


def _measured(path: Path, boards: tuple[str, ...]) -> dict[bool, dict[str, Row]]:
    graph = read_model(path).graph
    floats = any(graph.tensors[t].dtype == "FLOAT32" for t in (*graph.inputs, *graph.outputs))
    found: dict[bool, dict[str, Row]] = {}
    for int8_io in (False, True) if floats else (False,):
        for board in boards:
            try:
                (row,) = bench([path], board, int8_io=int8_io, inputs=1).rows
            except InputError as error:
                print(f"{path.stem}, {board}: {error}", file=sys.stderr, flush=True)
                continue
            if isinstance(row.split, BoardRun):
                found.setdefault(int8_io, {})[board] = row
    return found


def _name(path: Path, int8_io: bool) -> str:
    return path.stem + (" (int8 I/O)" if int8_io else "")


def stock() -> dict[tuple[str, str], tuple[int, int]]:
    """(model, board) -> instructions and arena bytes of stock TFLM, where both were measured."""
    lines = [line for line in STOCK_PATH.read_text().splitlines() if not line.startswith("#")]
    return {
        (line["model"], line["board"]): (int(line["instructions"]), int(line["arena_bytes"]))
        for line in csv.DictReader(lines)
        if line["arena_bytes"]
    }


def _takes(found: Found) -> str:
    """Stock against split, where stock is known."""
    known = stock()
    rows = []
    for (path, int8_io), boards in found.items():
        for board, row in boards.items():
            if (path.stem, board) not in known or not isinstance(row.split, BoardRun):
                continue
            instructions, arena_bytes = known[path.stem, board]
            whole, split = row.layer_wise, row.split
            rows.append([
                _name(path, int8_io), board, f"{instructions:,}",
                f"{whole.instructions:,}" if isinstance(whole, BoardRun) else "-", f"{split.instructions:,}",
                f"{split.instructions / instructions:.2f}", f"{arena_bytes:,}", f"{split.ram_bytes:,}",
                f"{path.stat().st_size:,}", f"{split.program_bytes + split.executor_bytes:,}", f"{split.executor_bytes:,}",
            ])  # fmt: skip
    return markdown_table(TAKES_HEADER, rows)


def _predicted(found: Found, boards: tuple[str, ...]) -> str:
    """Measured instructions of the split models, and the prediction's error."""
    header = ["model", *(cell for board in boards for cell in (f"{board} measured", "predicted", "error"))]
    rows = []
    for (path, int8_io), by_board in found.items():
        cells = [_name(path, int8_io)]
        for board in boards:
            row = by_board.get(board)
            if row is None or isinstance(row.split, str) or row.prediction is None:
                cells += ["-"] * 3
            else:
                cells += [
                    f"{row.split.instructions:,}",
                    f"{row.prediction.instructions:,}",
                    f"{row.prediction_error:+.1%}",
                ]
        rows.append(cells)
    return markdown_table(header, rows)


def _largest_errors(found: Found, boards: tuple[str, ...]) -> str:
    lines = []
    for board in boards:
        rows = [by_board[board] for by_board in found.values() if board in by_board]
        errors = [abs(row.prediction_error) for row in rows if row.prediction_error is not None]
        if errors:
            mean = sum(errors) / len(errors)
            lines.append(
                f"{board}: error of {len(errors)} predictions {mean:.1%} on average, {max(errors):.1%} at most"
            )
    return "\n".join(lines)


def _record(model: tuple[Path, bool], boards: Mapping[str, Row]) -> dict[str, Any]:
    return {
        "model": model[0].stem,
        "int8_io": model[1],
        "boards": {
            board: {
                "predicted_instructions": row.prediction.instructions if row.prediction else None,
                "split": None if isinstance(row.split, str) else row.split.record(),
                "layer_wise": None if isinstance(row.layer_wise, str) else row.layer_wise.record(),
            }
            for board, row in boards.items()
        },
    }


if __name__ == "__main__":
    main()
