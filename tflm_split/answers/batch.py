"""Several models at once: each is optimised in a process of its own, and one table says what became of them.

A file that cannot be optimised does not stop the others. The exit code is the worst of all.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tflm_split
from tflm_split.errors import InputError, TflmSplitError
from tflm_split.report.record_types import BUDGET_KEY, Record
from tflm_split.report.table import text_table
from tflm_split.tflite.save import NewFile, check_writable, save_together

LIMIT_NOT_MET = 1


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one file: its record and the model, or why there is none, with the exit code of that."""

    path: Path
    record: Record | None
    model: bytes
    error: str
    code: int


def optimize_all(
    paths: Sequence[Path], folder: Path | None, force: bool, jobs: int | None, words: Mapping[str, Any]
) -> tuple[Done, ...]:
    """Optimises all `paths` with the options `words`; each result goes to `folder`, if there is one, as `NAME_split.tflite`.

    `jobs` of them at once; None: as many as the cores that this process may use. The results do not depend on it.
    Raises InputError before anything starts when a file is not there, or could not be written.
    """
    targets = [folder / f"{path.stem}_split.tflite" if folder else None for path in paths]
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: is no folder; several models need an existing one to go to")
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file")
    named = [target for target in targets if target is not None]
    if len(set(named)) < len(named):
        raise InputError(
            "two of the models have the same name, and would go to the same file; optimise them one by one"
        )
    for wanted in named:
        for path in paths:
            check_writable(wanted, force=force, input_path=path)
    workers = min(len(paths), jobs or usable_cores())
    results = []
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            for done, target in zip(pool.map(partial(_one, dict(words)), paths), targets, strict=True):
                if target is not None and done.record is not None:
                    save_together([NewFile(target, done.model, force)], input_path=done.path)
                results.append(done)
        except BaseException:  # Ctrl-C, a full disk: no other model is begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(results)


def usable_cores() -> int:
    """Cores that this process may use. A container, or `taskset`, can leave it fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _one(words: dict[str, Any], path: Path) -> Done:
    try:
        result = tflm_split.optimize(path, **words)
    except TflmSplitError as error:
        return Done(path, None, b"", str(error), error.exit_code)
    met = result.report["goal"]["met"]
    return Done(path, result.report, result.model, "", 0 if met else LIMIT_NOT_MET)


def batch_text(results: Sequence[Done]) -> str:
    """One table of all. Ends in a newline."""
    header = ["model", "arena before", "arena after", "ratio", "verified", "remark"]
    return text_table(header, [_row(done) for done in results]) + "".join(_errors(results))


def batch_record(results: Sequence[Done]) -> list[dict[str, Any]]:
    """The record of each file, in order; for one without, its path and why."""
    return [dict(d.record) if d.record else {"file": str(d.path), "error": d.error} for d in results]


def _row(done: Done) -> list[str]:
    record = done.record
    if record is None:
        return [done.path.stem, "-", "-", "-", "-", "failed"]
    before, after = record["original"][BUDGET_KEY], record["optimized"][BUDGET_KEY]
    verified = record["verified"]
    seen = "not" if verified is None else f"{verified['inputs']} inputs" if verified["bit_exact"] else verified["level"]
    remark = "original kept" if record["kept_original"] else ""
    if not record["goal"]["met"]:
        remark = f"{record['goal']['missing_bytes']:,} B too many"
    return [record["model"]["name"], f"{before:,}", f"{after:,}", f"{after / before:.2f}", seen, remark]


def _errors(results: Sequence[Done]) -> Iterator[str]:
    for done in results:
        if done.error:
            yield f"{done.error}\n"
