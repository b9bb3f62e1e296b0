"""Which files does a build of the runtime compile? Writes the answer for each build system, from the folders' listing.

The executor's sources lie in rooms, and files in different rooms have the same name (`kernels/dsp/conv.c`,
`kernels/helium/conv.c`). Many builds put all objects into one folder or one archive. So `tflm_runtime_patch/src/` holds
one file per source that includes it, with a name that occurs once:

    src/split_nn_kernels_dsp_conv.c      #include "../split_nn/kernels/dsp/conv.c"

Before it, each includes `split_nn_optimize.h`: -O2 where the build asks for less, -Os for what is not worth its bytes.

Arduino compiles that folder as it is. The other builds read the list of its files:

    src/sources.cmake                    CMake, ESP-IDF, Zephyr
    src/sources.mk                       TFLM's Makefile

Run it after adding, renaming or removing a source; with `--check` it writes nothing, names what is not as it should be,
and its exit code is 1 if anything is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tflm_split.native.build import RUNTIME_FOLDER, executor_headers, executor_sources, unit_name

SOURCE_FOLDER = "src"
HAND_WRITTEN = ("tflm_split.h",)
"""What `src/` holds that is not generated."""
OPERATOR = ("tflm/tflm_split_call.c", "tflm/tflm_split.cc")
OPTIMIZE = Path("split_nn/split_nn_optimize.h")
"""What raises the level of optimisation where the build's is too low."""
COLD = (
    *(f"split_nn/core/{name}" for name in ("check_", "prepare.", "kind.")),
    *(f"split_nn/kernels/portable/{name}.c" for name in ("softmax", "stream")),
)
"""Sources that run once, or on the last few numbers: small is better there than fast."""
_NOTE = "# Written by scripts/write_integrations.py from the folders' listing.\n"


def generated_files() -> dict[str, str]:
    """Every generated file, by its path below `tflm_runtime_patch/`, with its whole text."""
    units = [unit_name(source) for source in executor_sources()]
    if len(set(units)) != len(units):
        raise ValueError(f"two sources would get the same name: {sorted(u for u in units if units.count(u) > 1)}")
    files = {}
    for source in executor_sources():
        files[f"{SOURCE_FOLDER}/{unit_name(source)}"] = _including(source.relative_to(RUNTIME_FOLDER))
    for source in map(Path, OPERATOR):
        suffix = ".cpp" if source.suffix == ".cc" else source.suffix  # Arduino knows .c and .cpp
        files[f"{SOURCE_FOLDER}/{source.stem}{suffix}"] = _including(source)
    files[f"{SOURCE_FOLDER}/sources.cmake"] = "".join(_cmake(units))
    files[f"{SOURCE_FOLDER}/sources.mk"] = "".join(_makefile(units))
    return files


def _including(source: Path) -> str:
    cold = "#define SPLIT_NN_COLD 1\n" if source.as_posix().startswith(COLD) else ""
    return f'{cold}#include "../{OPTIMIZE.as_posix()}"\n#include "../{source.as_posix()}"\n'


def _cmake(units: Sequence[str]) -> Iterator[str]:
    yield _NOTE
    yield "set(split_nn_sources\n"
    yield from (f"    ${{CMAKE_CURRENT_LIST_DIR}}/{unit}\n" for unit in units)
    yield ")\n"
    yield "set(tflm_split_sources\n"
    yield from (f"    ${{CMAKE_CURRENT_LIST_DIR}}/../{source}\n" for source in OPERATOR)
    yield ")\n"


def _makefile(units: Sequence[str]) -> Iterator[str]:
    """The sources that are included count as headers: TFLM's project generator copies what it finds in either list."""
    yield _NOTE
    yield from _make_variable("TFLM_SPLIT_SRCS", [*(f"{SOURCE_FOLDER}/{unit}" for unit in units), *OPERATOR])
    included = (*executor_sources(), *executor_headers(), *sorted((RUNTIME_FOLDER / "tflm").glob("*.h")))
    yield from _make_variable("TFLM_SPLIT_HDRS", [path.relative_to(RUNTIME_FOLDER).as_posix() for path in included])


def _make_variable(name: str, paths: Sequence[str]) -> Iterator[str]:
    yield f"{name} :="
    yield from (f" \\\n  $(TFLM_SPLIT_DIR)/{path}" for path in paths)
    yield "\n"


def faults(runtime: Path = RUNTIME_FOLDER) -> list[str]:
    """One sentence for each file that is stale, missing, or belongs to no source."""
    wanted = generated_files()
    found = {path.relative_to(runtime).as_posix(): path for path in (runtime / SOURCE_FOLDER).iterdir()}
    said = [f"{name} is missing" for name in wanted if name not in found]
    said += [f"{name} is stale" for name, text in wanted.items() if name in found and found[name].read_text() != text]
    return said + [f"{name} belongs to no source" for name in _leftovers(wanted, found)]


def _leftovers(wanted: dict[str, str], found: dict[str, Path]) -> list[str]:
    return sorted(name for name, path in found.items() if name not in wanted and path.name not in HAND_WRITTEN)


def write(runtime: Path = RUNTIME_FOLDER) -> None:
    """Writes every generated file and removes from `src/` what belongs to no source."""
    wanted = generated_files()
    for name, text in wanted.items():
        (runtime / name).write_text(text)
    found = {path.relative_to(runtime).as_posix(): path for path in (runtime / SOURCE_FOLDER).iterdir()}
    for name in _leftovers(wanted, found):
        found[name].unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file is not fresh")
    if not parser.parse_args(arguments).check:
        write()
        return 0
    said = faults()
    for sentence in said:
        print(f"{RUNTIME_FOLDER.name}/{sentence}: run `python scripts/write_integrations.py`", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
