"""Builds what firmware projects take in as a whole: an Arduino library, an ESP-IDF component and a Zephyr module.

Each is a zip with one folder: the operator's sources (`tflm-split runtime`), what that build looks for at the folder's root, the
licence, and an example, `static_picture`: a split model and a picture in flash, run once, its output compared with what
TFLM makes of the original on this machine. The same sources and model give the same bytes.

    python scripts/build_firmware_archives.py -o dist
    python scripts/build_firmware_archives.py -o dist --model person_detect.tflite --picture person.npy --labels "no person,person"

Without `--model` it is the person detector's network (MobileNetV1 0.25 at 96 x 96) as `models/` has it, trained on digits.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

import tflm_split
from tflm_split.board.one_region import one_region
from tflm_split.errors import InputError, TflmSplitError
from tflm_split.export.files import exported
from tflm_split.export.runtime import runtime_files
from tflm_split.export.text import byte_lines, comment_text
from tflm_split.report.record_types import BUDGET_KEY
from tflm_split.tflite.reader import read_model

ROOT = Path(__file__).resolve().parent.parent
TEXTS = Path(__file__).resolve().parent / "firmware"
DATE = (2026, 1, 1, 0, 0, 0)
"""Of every entry."""
DIGITS = ROOT / "models" / "digits_mobilenet_v1_025_96.tflite"

ARCHIVES: Mapping[str, tuple[str, str, str]] = {
    "arduino": ("TFLM_SPLIT", "examples/static_picture", "examples/static_picture"),
    "esp-idf": ("tflm_split", "examples/static_picture", "examples/static_picture/main"),
    "zephyr": ("tflm_split", "samples/static_picture", "samples/static_picture/src"),
}
"""Build -> the archive's folder, the example's in it, and where the example's sources are."""


def example_files(model: Path, picture: npt.NDArray[np.int8], labels: Sequence[str]) -> dict[str, bytes]:
    """The sources that all examples share. Raises InputError for a model that the example cannot run.

    `picture` is one input of the model; the output is compared with TFLM's for the original.
    """
    result = tflm_split.optimize(model)
    split = read_model(result.model)
    region = one_region(split)
    graph = split.graph
    (output,) = graph.outputs
    if [t.dtype for t in region.graph.tensors if t.index in (*graph.inputs, output)] != ["INT8", "INT8"]:
        raise InputError(f"{model}: the example is for models with one int8 input and one int8 output")
    interpreter = tflm_split.tflm.interpreter(model.read_bytes())
    interpreter.set_input(picture, 0)
    interpreter.invoke()
    expected = np.asarray(interpreter.get_output(0), np.int8)
    if expected.size != len(labels):
        raise InputError(f"{model}: has {expected.size} outputs, but there are {len(labels)} labels")
    files = {
        name: text.encode() for name, text in exported(split, model.name, "c").files if name.startswith("model_data")
    }
    files["picture.h"] = _picture_header(int(result.report["optimized"][BUDGET_KEY]), len(labels)).encode()
    files["picture.c"] = _picture_source(picture, expected, labels).encode()
    files |= {path.name: path.read_bytes() for path in sorted((TEXTS / "example").iterdir())}
    return files


def _picture_header(arena_bytes: int, scores: int) -> str:
    return f"""\
/* A picture, what the model makes of it, and the arena that it needs. */
#ifndef PICTURE_H_
#define PICTURE_H_

#define TENSOR_ARENA_BYTES {arena_bytes}

#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char picture[];
extern const unsigned int picture_bytes;
extern const unsigned char picture_expected[{scores}]; /* the bytes of int8 scores */
extern const char* const picture_labels[{scores}];
extern const unsigned int picture_scores;

#ifdef __cplusplus
}}
#endif

#endif /* PICTURE_H_ */
"""


def _picture_source(picture: npt.NDArray[np.int8], expected: npt.NDArray[np.int8], labels: Sequence[str]) -> str:
    names = "".join(f'    "{comment_text(label)}",\n' for label in labels)
    return (
        '#include "picture.h"\n\n'
        f"const unsigned char picture[] = {{\n{byte_lines(picture.tobytes())}}};\n\n"
        f"const unsigned int picture_bytes = {picture.nbytes};\n\n"
        f"const unsigned char picture_expected[] = {{\n{byte_lines(expected.tobytes())}}};\n\n"
        f"const char* const picture_labels[] = {{\n{names}}};\n\n"
        f"const unsigned int picture_scores = {expected.size};\n"
    )


def archive_files(build: str, example: Mapping[str, bytes]) -> dict[str, bytes]:
    """Every file of the archive for `build`, by its path in the archive's folder."""
    _, folder, sources = ARCHIVES[build]
    files = dict(runtime_files(build))
    for path in sorted((TEXTS / build).rglob("*")):
        if path.is_file():
            files[f"{folder}/{path.relative_to(TEXTS / build).as_posix()}"] = path.read_bytes()
    files |= {f"{sources}/{name}": data for name, data in example.items()}
    url = os.environ.get("TFLM_SPLIT_URL")
    if url and build == "arduino":
        files["library.properties"] = re.sub(rb"(?m)^url=.*$", f"url={url}".encode(), files["library.properties"])
    return files


def write_archive(path: Path, folder: str, files: Mapping[str, bytes]) -> None:
    """A zip of `files` below `folder`, sorted and with a fixed date."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(f"{folder}/{name}", DATE)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])


def build_archives(output: Path, model: Path, picture: npt.NDArray[np.int8], labels: Sequence[str]) -> list[Path]:
    """All archives, written to `output`."""
    example = example_files(model, picture, labels)
    output.mkdir(parents=True, exist_ok=True)
    made = []
    for build, (folder, _, _) in ARCHIVES.items():
        path = output / f"tflm_split-{tflm_split.__version__}-{build}.zip"
        write_archive(path, folder, archive_files(build, example))
        made.append(path)
    return made


def digit() -> npt.NDArray[np.int8]:
    """The first test image, as the default model takes it."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from digits import as_input, test_set

    graph = read_model(DIGITS).graph
    tensor = graph.tensors[graph.inputs[0]]
    quantization = tensor.quantization
    assert quantization is not None
    real = as_input(test_set()[0][:1], tensor.shape[1:])
    scaled = np.round(real / quantization.scales[0]) + quantization.zero_points[0]
    return np.clip(scaled, -128, 127).astype(np.int8)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=DIGITS)
    parser.add_argument("--picture", type=Path, help="an .npy file with one int8 input of the model")
    parser.add_argument("--labels", help="a name for each output, with commas between them")
    options = parser.parse_args(arguments)
    try:
        picture = np.load(options.picture) if options.picture else digit()
        labels = options.labels.split(",") if options.labels else list("0123456789")
        for path in build_archives(options.output, options.model, picture, labels):
            print(f"{path.name}: {path.stat().st_size:,} bytes")
    except (TflmSplitError, OSError, ValueError) as error:
        print(f"build_firmware_archives: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
