"""What lies in a fast memory of 16 to 128 KB and what in a slow one, and how often is the slow one touched?

`python scripts/bench_two_memories.py [file.tflite ...] [--effort E] [--board B] [--json FILE] [--from FILE ...] [--update]`;
without files, three of the real models at `../shared/corpus/models`, where they are there. Each model is made for
`--memory fast=...,slow=8MB` with the default limit of both together and with none, verified in TFLM, replayed, and run on an
emulated board with two memories, where a plugin of QEMU counts loads and stores. `--update` puts the table into docs/targets.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench_memory import ROOT, updated

import tflm_split
from tflm_split.board.run import run_on_board
from tflm_split.errors import TflmSplitError
from tflm_split.program.decode import decode
from tflm_split.program.in_model import programs_of
from tflm_split.report.table import markdown_table
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs
from tflm_split.verify.replay import replay
from tflm_split.verify.tflm import run_in_tflm

TARGETS_PAGE = ROOT / "docs" / "targets.md"
CORPUS = ROOT.parent / "shared" / "corpus" / "models"
MODELS = ("mlperf_vww96_int8", "mcunet_person_det", "coral_tf2_mbv2_100_224_ptq")
FAST_KB = (16, 32, 64, 128)
LIMITS = {"1.1": "", "none": ",total=16MB"}
HEADER = (
    "model", "one memory", "fast, KB", "limit", "fast head", "slow", "together", "slow read, predicted", "written",
    "loaded on {board}", "stored", "instructions, millions",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Models in a fast and a slow memory, and accesses to the slow one.")
    parser.add_argument("files", nargs="*", type=Path, metavar="file")
    parser.add_argument("--effort", default="low", help="as for tflm-split optimize")
    parser.add_argument("--board", default="m7", help="an emulated board with two memories: m0, m3, m4, m7 or m55")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the records there")
    parser.add_argument("--from", type=Path, nargs="+", dest="sources", metavar="FILE", help="read records")
    parser.add_argument("--update", action="store_true", help="put the table into docs/targets.md")
    arguments = parser.parse_args()
    records: list[dict[str, Any]] = []
    for source in arguments.sources or ():
        records += json.loads(source.read_text())
    files = arguments.files or [CORPUS / f"{name}.tflite" for name in MODELS]
    for path in () if arguments.sources else files:
        for fast in FAST_KB:
            for limit, total in LIMITS.items():
                asked = {"name": path.stem, "fast_kb": fast, "limit": limit, "board": arguments.board}
                try:
                    found = measure(
                        path.read_bytes(), f"fast={fast}KB,slow=8MB{total}", arguments.effort, arguments.board
                    )
                    records.append(asked | found)
                except TflmSplitError as error:
                    print(f"{path.stem}, {fast} KB: {error}", file=sys.stderr, flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps(records, indent=1) + "\n")
    board = records[0]["board"] if records else arguments.board
    table = markdown_table([title.format(board=board) for title in HEADER], list(map(row, records)))
    print(table)
    if arguments.update:
        TARGETS_PAGE.write_text(updated(TARGETS_PAGE.read_text(), {"two_memories": table}))


def measure(content: bytes, memory: str, effort: str, board: str) -> dict[str, Any]:
    """All numbers of one model; raises VerificationError when it gives other outputs, AssertionError when the board does."""
    result = tflm_split.optimize(content, memory=memory, effort=effort, inputs=1)
    record, model = result.report, read_model(result.model)
    reports = [replay(decode(blob)) for blob in programs_of(model).values()]
    memories = record["memories"]
    predicted = (memories["predicted_slow_read_bytes"], memories["predicted_slow_written_bytes"])
    assert predicted == (sum(r.slow_read_bytes for r in reports), sum(r.slow_written_bytes for r in reports))
    inputs = test_inputs(read_model(content).graph, 1, 0)
    done = run_on_board(result.model, board, inputs, count_accesses=True)
    assert done.outputs == run_in_tflm(content, inputs).outputs
    assert done.accesses is not None
    slow = done.accesses.get("slow")
    return {
        "memories": memories,
        "arena": record["optimized"]["predicted_arm32_minimum_arena_bytes"],
        "counted": [slow.read_bytes, slow.written_bytes] if slow else [0, 0],
        "instructions": done.instructions,
        "level": record["verified"]["level"],
    }


def row(record: dict[str, Any]) -> list[str]:
    memories = record["memories"]
    one, fast, slow = memories["one_memory_head_bytes"], memories["head_bytes"], memories["slow_used_bytes"]
    bytes_ = (
        fast, slow, memories["predicted_slow_read_bytes"], memories["predicted_slow_written_bytes"], *record["counted"]
    )  # fmt: skip
    shown = [f"{n:,}" for n in bytes_]
    return [
        record["name"], f"{one:,}", str(record["fast_kb"]), record["limit"], *shown[:2], f"{(fast + slow) / one:.2f}", *shown[2:],
        f"{record['instructions'] / 1e6:.1f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
