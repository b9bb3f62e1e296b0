"""`tflm-split runtime`: the operator's C sources for a firmware project. `tflm_split/cli.py` registers it."""

from __future__ import annotations

from pathlib import Path

import click

from tflm_split.export.runtime import BUILDS
from tflm_split.terminal.output import say


@click.command()
@click.argument("models", type=click.Path(path_type=Path), nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option(
    "--for", "build", type=click.Choice(tuple(BUILDS)), default="cmake", show_default=True, help="The build it is for."
)
@click.option("--force", is_flag=True, help="Replace an earlier copy.")
def runtime(models: tuple[Path, ...], output: Path, build: str, force: bool) -> int:
    """Write the C sources of the TFLM_SPLIT operator, with the files that a firmware's build needs.

    With MODELS (split ones), kinds of steps that none of them uses are left out of the firmware.
    """
    from tflm_split.export.runtime import kinds_of, runtime_files, write_runtime
    from tflm_split.tflite.reader import read_model

    mask = kinds_of([read_model(model) for model in models])
    files = runtime_files(build, mask)
    write_runtime(output, files, force=force)
    say(f"{output}: {len(files)} files, {sum(map(len, files.values())):,} bytes, for {build}")
    if mask:
        say(
            f"Only the kinds of steps that the models need: SPLIT_NN_KINDS = {mask:#x} in {output}/split_nn/split_nn_config.h"
        )
    folder = output.as_posix()
    say("\n" + BUILDS[build][1].format(folder=folder, name=output.resolve().name))
    say('\nresolver.AddCustom("TFLM_SPLIT", tflm_split::Register_TFLM_SPLIT());   // with #include "tflm_split.h"')
    return 0
