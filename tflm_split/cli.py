"""The commands of `tflm-split`. They parse, call, print and choose an exit code; all else is decided elsewhere.

Exit codes: 0 done and limits met; 1 done, limit not met; 2 bad input or option; 3 verification failed or a bug of ours; 130
interrupted, nothing was written; 141 nobody reads the output any more.
Results go to stdout, messages and the progress bar to stderr; the bar is shown on a terminal only.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

import tflm_split
from tflm_split.answers.cli import fit, why
from tflm_split.board.cli import board as board_commands
from tflm_split.errors import InputError, TflmSplitError, VerificationError
from tflm_split.export.cli import export
from tflm_split.export.runtime_cli import runtime
from tflm_split.options import STOCK
from tflm_split.shrink.cli import shrink
from tflm_split.sizes import counted
from tflm_split.terminal.options import takes_options
from tflm_split.terminal.output import say
from tflm_split.terminal.progress import progress_bar

LIMIT_NOT_MET = 1
BAD_INPUT = 2
OUR_FAULT = 3
INTERRUPTED = 130
_CLOSED_PIPE = 141
_PROGRAM = "tflm-split"
_MODEL = click.Path(path_type=Path)
_OUTPUT = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tflm_split.__version__, prog_name=_PROGRAM)
@click.option("--debug", is_flag=True, help="Show a traceback with every error.")
def cli(debug: bool) -> None:
    """Lower the memory a .tflite model needs in TensorFlow Lite Micro, byte for byte the same results.

    Exit codes: 0 done and limits met; 1 done, limit not met; 2 bad input or option; 3 verification failed; 130 interrupted.
    """


@cli.command()
@click.argument("models", type=_MODEL, nargs=-1, required=True, metavar="MODEL...")
@click.option("-o", "--output", type=_OUTPUT, help="Where to write the optimised model, or the folder for several.")
@click.option("--json", "json_path", type=_OUTPUT, help="Where to write the JSON record; - prints it instead of text.")
@click.option(
    "--html", "html_path", type=_OUTPUT, help="Where to write a page to look at: memory, operators, refusals."
)
@click.option(
    "--node-data", "nodes", type=_OUTPUT, help="An existing folder to write values per operator to, for Model Explorer."
)
@takes_options()
@click.option("--plan-out", type=_OUTPUT, help="Where to write what was decided, so that --plan can repeat it.")
@click.option("--plan", "plan_path", type=_MODEL, help="Do what such a file says, without a search.")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Several models: so many at once; as many as there are cores by default."
)
@click.option("--force", is_flag=True, help="Overwrite existing output files.")
def optimize(
    models: tuple[Path, ...],
    output: Path | None,
    json_path: Path | None,
    html_path: Path | None,
    nodes: Path | None,
    plan_out: Path | None,
    plan_path: Path | None,
    jobs: int | None,
    force: bool,
    **options: Any,
) -> int:
    """Split MODEL for least arena, verify the result in TFLM, and report.

    Several models are optimised side by side; -o is then an existing folder, and one table says what became of all.
    """
    if len(models) > 1:
        if html_path or nodes or plan_out or plan_path:
            raise InputError("--html, --node-data, --plan and --plan-out are for one model; here are several")
        return _optimize_several(models, output, json_path, force, jobs, options)
    (model,) = models
    from tflm_split.report.summary import next_steps, summary
    from tflm_split.search.decision_file import SavedDecision
    from tflm_split.tflite.save import NewFile, save_together

    if options["target"] == STOCK and plan_out is not None:
        raise InputError("--plan-out: the target stock has no decisions to write; its plan is in the model itself")
    to_stdout = json_path == Path("-")
    targets = _targets(model, (output, None if to_stdout else json_path, html_path, plan_out), nodes, force)

    with progress_bar() as progress:
        decision = SavedDecision.read(plan_path) if plan_path else None
        result = tflm_split.optimize(model, progress=progress, decision=decision, **options)
    record = _json(result.report)
    plan = result.decision.json() if result.decision else ""
    page = result.html() if html_path else ""
    contents = {output: result.model, json_path: record.encode(), html_path: page.encode(), plan_out: plan.encode()}
    files = [NewFile(path, contents[path], force) for path in targets]
    if nodes:
        files += [
            NewFile(nodes / f"{model.stem}.{kind}.json", text.encode(), force)
            for kind, text in result.node_data().items()
        ]
    save_together(files, input_path=model)
    if to_stdout:
        say(record, nl=False)
    else:
        say(summary(result.report))
        if options["int8_io"] and not result.changes and not result.report["kept_original"]:
            say("--int8-io changed nothing: no float conversion stands at an input or output.")
        say("")
        say(next_steps(result.report, output))
    return 0 if result.report["goal"]["met"] else LIMIT_NOT_MET


def _targets(model: Path, named: Sequence[Path | None], nodes: Path | None, force: bool) -> list[Path]:
    """The files to write, of those `named`: the model, the record, the page and the plan. Values go to the folder `nodes`.

    Raises InputError where one cannot be written, before anything is computed.
    """
    from tflm_split.tflite.save import check_writable

    if named[0] == Path("-"):
        raise InputError("-o -: a model is not printed; give it the name of a file (./- for a file called -)")
    targets = [path for path in named if path is not None]
    if len({os.path.realpath(path) for path in targets}) < len(targets):
        raise InputError(f"{targets[-1]}: is asked to hold two of the model, the record, the page and the plan")
    for path in targets:
        check_writable(path, force=force, input_path=model)
    if nodes and not nodes.is_dir():
        raise InputError(f"{nodes}: is no folder to write values per operator to")
    return targets


def _optimize_several(
    models: tuple[Path, ...],
    folder: Path | None,
    json_path: Path | None,
    force: bool,
    jobs: int | None,
    options: dict[str, Any],
) -> int:
    from tflm_split.answers.batch import batch_record, batch_text, optimize_all
    from tflm_split.tflite.save import NewFile, check_writable, save_together

    to_stdout = json_path == Path("-")
    if json_path is not None and not to_stdout:
        check_writable(json_path, force=force, input_path=models[0])
    results = optimize_all(models, folder, force, jobs, options)
    record = _json(batch_record(results))
    if json_path is not None and not to_stdout:
        save_together([NewFile(json_path, record.encode(), force)], input_path=models[0])
    say(record if to_stdout else batch_text(results), nl=False)
    return max(done.code for done in results)


@cli.command()
@click.argument("model", type=_MODEL)
@click.option(
    "--json", "json_path", type=_OUTPUT, help="Where to write the front as JSON; - prints it instead of text."
)
@click.option("-o", "--output", "folder", type=_OUTPUT, help="An existing folder to write the models of the front to.")
@click.option(
    "--html", "html_path", type=_OUTPUT, help="Where to write a page to look at: the front, its smallest result."
)
@takes_options(front=True)
@click.option("--force", is_flag=True, help="Overwrite existing output files.")
def pareto(
    model: Path,
    json_path: Path | None,
    folder: Path | None,
    html_path: Path | None,
    force: bool,
    **options: Any,
) -> int:
    """What less memory of MODEL costs in time: the results that no other beats in both memory and time."""
    from tflm_split.report.front import front_record, front_text
    from tflm_split.tflite.save import NewFile, check_writable, save_together

    to_stdout = json_path == Path("-")
    for path in (None if to_stdout else json_path, html_path):
        if path:
            check_writable(path, force=force, input_path=model)
    if folder and not folder.is_dir():
        raise InputError(f"{folder}: is no folder to write models to")
    with progress_bar() as progress:
        results = tflm_split.pareto(model, progress=progress, **options)
    record = front_record(model.name, [r.report for r in results])
    files = []
    if folder:
        files = [
            NewFile(folder / f"{model.stem}_{point['planned_head_bytes']}.tflite", result.model, force)
            for point, result in zip(record["points"], results, strict=True)
        ]
    if json_path and not to_stdout:
        files.append(NewFile(json_path, _json(record).encode(), force))
    if html_path:
        files.append(NewFile(html_path, results.html().encode(), force))
    save_together(files, input_path=model)
    say(_json(record) if to_stdout else front_text(record), nl=False)
    return 0


@cli.command()
@click.argument("model", type=_MODEL)
@click.option(
    "--axes", is_flag=True, help="Also along which axes the largest tensor can be cut, together with which others."
)
@click.option("--tensor", metavar="NAME", help="The same for the tensor of that name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def inspect(model: Path, axes: bool, tensor: str | None, as_json: bool) -> int:
    """Operators of MODEL: live memory, what can be split and, if not, why."""
    from tflm_split.report.inspection import inspect_model, inspection_text

    record, operators = inspect_model(model, axes=axes, tensor=tensor)
    say(_json(record) if as_json else inspection_text(record, operators), nl=False)
    return 0


@cli.command()
@click.argument("original", type=_MODEL)
@click.argument("optimized", type=_MODEL)
@takes_options("inputs", "seed", inputs=16, seed=0)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def verify(original: Path, optimized: Path, inputs: int | str, seed: int, as_json: bool) -> int:
    """Run both models on the same inputs, in TFLM where it runs, and compare every output byte."""
    from tflm_split.report.arrays import inputs_of
    from tflm_split.report.verdict import verdict_record, verdict_text
    from tflm_split.tflite.reader import read_model
    from tflm_split.verify.verification import verify as run

    first, second = read_model(original), read_model(optimized)
    comparison = run(first, second, inputs_of(first.graph, inputs, seed))
    record = verdict_record(first, second, comparison, seed)
    say(_json(record) if as_json else verdict_text(record), nl=False)
    if comparison.bit_exact is None:
        return BAD_INPUT
    return 0 if comparison.bit_exact else VerificationError.exit_code


@cli.command()
@click.argument("model", type=_MODEL)
def program(model: Path) -> int:
    """The programs in MODEL as text: steps, pieces, addresses."""
    from tflm_split.program.decode import decode
    from tflm_split.program.in_model import programs_of
    from tflm_split.program.text import format_program
    from tflm_split.tflite.reader import read_model

    programs = programs_of(read_model(model))
    if not programs:
        raise InputError(f"{model}: holds no TFLM_SPLIT operator; `{_PROGRAM} optimize` writes models that do")
    for label, blob in programs.items():
        say(f"{label}\n{format_program(decode(blob))}")
    return 0


@cli.command()
@click.argument("model", type=_MODEL)
@click.option("--input", "inputs", type=_MODEL, multiple=True, required=True, help="A .npy file per input, in order.")
@click.option(
    "--output", "outputs", type=_OUTPUT, multiple=True, required=True, help="A .npy file per output, in order."
)
@click.option("--force", is_flag=True, help="Overwrite existing output files.")
def run(model: Path, inputs: tuple[Path, ...], outputs: tuple[Path, ...], force: bool) -> int:
    """Run MODEL, split or not, once: in TFLM where it runs, else in tflm_split's own model of it."""
    from tflm_split.report.arrays import array_bytes, load_inputs, output_arrays
    from tflm_split.tflite.reader import read_model
    from tflm_split.tflite.save import NewFile, check_writable, save_together
    from tflm_split.verify.verification import run_once

    for path in outputs:
        if any(source.exists() and path.exists() and os.path.samefile(path, source) for source in (model, *inputs)):
            raise InputError(f"{path}: is one of the files that are read; give the output another name")
        check_writable(path, force=force, input_path=model)
    if len({os.path.realpath(path) for path in outputs}) < len(outputs):
        raise InputError("two outputs are asked to go to the same file")
    loaded = read_model(model)
    arrays = load_inputs(loaded.graph, inputs)
    if len(outputs) != len(loaded.graph.outputs):
        raise InputError(
            f"the model has {counted(len(loaded.graph.outputs), 'output')}, but {counted(len(outputs), 'file')} "
            f"{'is' if len(outputs) == 1 else 'are'} given"
        )
    done, not_in_tflm = run_once(loaded, arrays)
    if not_in_tflm:
        say(f"{_PROGRAM}: not run in TFLM, but in tflm_split's own model of it: {not_in_tflm}", err=True)
    results = output_arrays(loaded.graph, done)
    save_together([NewFile(p, array_bytes(a), force) for p, a in zip(outputs, results, strict=True)], input_path=model)
    for path, array in zip(outputs, results, strict=True):
        say(f"{path}: {array.dtype} {list(array.shape)}")
    return 0


cli.add_command(board_commands)
cli.add_command(fit)
cli.add_command(why)
cli.add_command(export)
cli.add_command(runtime)
cli.add_command(shrink)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code. Whatever goes wrong is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the terminal may be unable to show a path
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` cleans up like Ctrl-C
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            code = cli.main(arguments, prog_name=_PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        # The reader of our output has gone. The interpreter must not try to flush it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message(), err=True)
        return BAD_INPUT
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in (sys.argv[1:] if arguments is None else arguments):
            traceback.print_exc()
        message, code = _explain(error)
        say(f"{_PROGRAM}: {' '.join(message.split())}", err=True)
        return code


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning is one line on stderr, like an error."""
    say(f"{_PROGRAM}: {message}", err=True)


def _explain(error: BaseException) -> tuple[str, int]:
    """The sentence and the exit code for whatever ended a command."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message().removesuffix('.')}; see: {error.ctx.command_path} --help", BAD_INPUT
    if isinstance(error, click.ClickException):
        return error.format_message(), BAD_INPUT
    if isinstance(error, TflmSplitError):
        return str(error), error.exit_code
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return "interrupted; nothing was written", INTERRUPTED
    if isinstance(error, (OSError, MemoryError)):
        return f"this machine cannot go on: {error or type(error).__name__}", BAD_INPUT
    where = f"`{_PROGRAM} --debug` shows where"
    return f"a mistake of {_PROGRAM} itself: {type(error).__name__}: {error}; {where}", OUR_FAULT


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
