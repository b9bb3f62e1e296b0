"""Does exported C hold the very file, compile everywhere without a warning, and compute the bytes of TFLM?"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from objects import host_executor
from split_stages import every_compilation
from tiny_models import Builder
from user_models import DSCNN, float_network, small_network

import tflm_split
from tflm_split.cli import main
from tflm_split.errors import InputError
from tflm_split.export.files import exported, write_export
from tflm_split.export.text import comment_text, float_literal, xxd_name
from tflm_split.native.build import EXECUTOR_FOLDER
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs as inputs_for
from tflm_split.verify.tflm import run_in_tflm

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wcast-align"]
SPLIT_NN = EXECUTOR_FOLDER

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("g++") is None, reason="gcc is missing")


def network_with_a_stock_operator() -> bytes:
    """Two convolutions before a REVERSE_V2, which no program computes."""
    net = Builder((1, 16, 16, 3), seed=4)
    return net.finish(net.reversed(net.conv(net.conv(net.input, 8, 3), 2, 3)))


def split(model: bytes) -> bytes:
    return tflm_split.optimize(model, verify=False, effort=2).model


def two_inputs_two_outputs() -> bytes:
    """Two images are added; the sum's mean and its convolution are both outputs."""
    net = Builder((1, 12, 10, 3), seed=3)
    both = net.add(net.conv(net.input, 4, 3), net.conv(net.add_input((1, 12, 10, 2)), 4, 1))
    return net.finish(net.mean(both), net.conv(both, 2, 3, stride=2))


def one_region_of(model: bytes) -> bytes:
    """The first compilation of `model`, even if it gains nothing."""
    return next(compiled.optimized for compiled in every_compilation(model) if len(compiled.blobs) == 1)


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executor as a library, so that every model links the same one."""
    folder = tmp_path_factory.mktemp("split_nn")
    run(["ar", "rcs", "libsplit_nn.a", *host_executor()], folder)
    return folder / "libsplit_nn.a"


def run(command: list[str | Path], folder: Path) -> bytes:
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


MAIN = """\
#include <stdio.h>
#include <string.h>
#include "model.h"
int main(void) {
    if (model_init() != 0) return 1;
    for (;;) {
@READ@
        if (model_invoke() != 0) return 2;
@WRITE@
    }
}
"""


def answers(folder: Path, executor: Path, inputs: list[list[np.ndarray]], outputs: int) -> bytes:
    """The outputs of the exported model in `folder` for these inputs, one after the other."""
    count = len(inputs[0])
    read = "\n".join(
        f"        if (fread(model_input{k}(), 1, MODEL_INPUT{k}_BYTES, stdin) != MODEL_INPUT{k}_BYTES) return 0;"
        for k in range(count)
    )
    write = "\n".join(f"        fwrite(model_output{k}(), 1, MODEL_OUTPUT{k}_BYTES, stdout);" for k in range(outputs))
    (folder / "main.c").write_text(MAIN.replace("@READ@", read).replace("@WRITE@", write))
    run(["gcc", "-std=c11", "-O1", *STRICT, f"-I{SPLIT_NN}", "main.c", "model.c", executor, "-lm", "-o", "run"], folder)
    data = b"".join(array.tobytes() for entry in inputs for array in entry)
    done = subprocess.run([folder / "run"], input=data, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    return done.stdout


@needs_gcc
@pytest.mark.parametrize("source", ["small", "dscnn", "float", "two_inputs_two_outputs"])
def test_the_model_without_tflm_gives_the_bytes_of_tflm(source: str, tmp_path: Path, executor: Path) -> None:
    original = {
        "small": small_network,
        "dscnn": DSCNN.read_bytes,
        "float": float_network,
        "two_inputs_two_outputs": two_inputs_two_outputs,
    }[source]()
    model = read_model(one_region_of(original) if source == "two_inputs_two_outputs" else split(original))
    write_export(exported(model, "m.tflite", "c"), tmp_path / "out")
    inputs = [list(entry) for entry in inputs_for(model.graph, 3, 4)]
    expected = run_in_tflm(original, inputs)
    assert answers(tmp_path / "out", executor, inputs, len(model.graph.outputs)) == b"".join(
        part for outputs in expected.outputs for part in outputs
    )
    assert len(set(expected.outputs)) == 3


STREAMED_MAIN = """\
#include <stdio.h>
#include <string.h>
#include "model.h"
static uint8_t picture[@IN@];
#ifdef MODEL_OUTPUT_ROWS
static int made_rows(void* user, const uint8_t* from, uint32_t first_row, uint32_t rows) {
    (void)user;
    (void)first_row;
    return fwrite(from, MODEL_OUTPUT_ROW_BYTES, rows, stdout) == rows ? 0 : 1;
}
#define MADE , made_rows, NULL
#define MADE_ROWS made_rows,
#else
#define MADE
#define MADE_ROWS
#endif
#ifdef MODEL_ROWS
static int next_rows(void* user, uint8_t* to, uint32_t first_row, uint32_t rows) {
    (void)user;
    memcpy(to, picture + first_row * MODEL_ROW_BYTES, rows * MODEL_ROW_BYTES);
    return 0;
}
#define NEXT_ROWS next_rows,
#else
#define NEXT_ROWS
#endif
static void whole_output(void) {
#ifndef MODEL_OUTPUT_ROWS
    fwrite(model_output0(), 1, MODEL_OUTPUT0_BYTES, stdout);
#endif
}
int main(void) {
    if (model_init() != 0 || fread(picture, 1, sizeof picture, stdin) != sizeof picture) return 1;
#ifdef MODEL_ROWS
    model_begin();
    if (model_rows(picture MADE) != 0) return 2; /* broken off */
    clearerr(stdout);
    model_begin();
    for (uint32_t row = 0; row < MODEL_ROWS; row += MODEL_ROWS_PER_CALL) {
        if (model_done() || model_rows(picture + row * MODEL_ROW_BYTES MADE) != 0) return 3;
    }
    if (!model_done() || model_rows(picture MADE) == 0) return 4; /* a row too many */
    whole_output();
#else
    memcpy(model_input0(), picture, sizeof picture);
#endif
    if (model_run(NEXT_ROWS MADE_ROWS NULL) != 0) return 5;
    whole_output();
    return 0;
}
"""


@needs_gcc
@pytest.mark.parametrize(("taken", "given"), [(2, 0), (0, 3), (2, 3)])
def test_rows_are_pushed_and_pulled_without_tflm(taken: int, given: int, tmp_path: Path, executor: Path) -> None:
    net = Builder((1, 13, 6, 3), seed=5)
    original = net.finish(net.conv(net.conv(net.input, 5, 3), 4, 3))
    made = tflm_split.optimize(original, stream_input=taken, stream_output=given, verify=False)
    write_export(exported(read_model(made.model), "m.tflite", "c"), tmp_path / "out")
    ((picture,),) = inputs_for(read_model(original).graph, 1, 4)
    (tmp_path / "out" / "main.c").write_text(STREAMED_MAIN.replace("@IN@", str(picture.nbytes)))
    command: list[str | Path] = ["gcc", "-std=c11", "-O1", *STRICT, f"-I{SPLIT_NN}", "main.c", "model.c", executor]
    run([*command, "-lm", "-o", "run"], tmp_path / "out")
    done = subprocess.run(
        [tmp_path / "out" / "run"], input=picture.tobytes(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0
    ((expected,),) = run_in_tflm(original, [[picture]]).outputs
    pushed_and_pulled = expected * (2 if taken else 1)
    assert done.stdout.endswith(pushed_and_pulled)
    assert len(done.stdout) - len(pushed_and_pulled) < len(expected)  # what the picture that was broken off has made


def test_the_flag_that_is_printed_is_that_of_the_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The model has rows that move, so a build without moves refuses it."""
    result = tflm_split.optimize(DSCNN, effort="low", verify=False)
    assert result.report["optimized"]["packing"]["moves"]
    result.save(tmp_path / "m.tflite")
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "m.tflite"), "-o", str(tmp_path / "out")])
    assert not ended.value.code
    (printed,) = re.findall(r"SPLIT_NN_KINDS=(0x[0-9a-f]+)", capsys.readouterr().out)
    assert re.findall(r"SPLIT_NN_KINDS=(0x[0-9a-f]+)", (tmp_path / "out" / "model.h").read_text()) == [printed]


@needs_gcc
@pytest.mark.parametrize("standard", ["c11", "c17", "c++11", "c++20"])
def test_every_exported_file_is_c_and_cpp(standard: str, tmp_path: Path) -> None:
    language = ["g++", "-x", "c++"] if "++" in standard else ["gcc"]
    model = read_model(split(small_network()))
    write_export(exported(model, "m.tflite", "c"), tmp_path / "c")
    write_export(exported(model, "m.tflite", "xxd"), tmp_path / "xxd")
    (tmp_path / "xxd" / "include.c").write_text('#include "model_data.h"\n')
    for file in (tmp_path / "c" / "model.c", tmp_path / "c" / "model_data.c", tmp_path / "xxd" / "include.c"):
        run([*language, f"-std={standard}", *STRICT, f"-I{SPLIT_NN}", "-fsyntax-only", file], tmp_path)


def members(text: str, name: str) -> bytes:
    body = re.search(rf"alignas\(16\) const unsigned char {name}\[\] = \{{(.*?)\}};", text, re.DOTALL)
    assert body is not None
    return bytes(int(value, 16) for value in re.findall(r"0x([0-9a-f]{2}),", body[1]))


def test_the_array_holds_the_file_byte_for_byte() -> None:
    model = read_model(split(small_network()))
    source = dict(exported(model, "m.tflite", "c").files)["model_data.c"]
    assert members(source, "model_data") == model.original
    assert f"const unsigned int model_data_len = {len(model.original)};" in source


@pytest.mark.skipif(shutil.which("xxd") is None, reason="xxd is not installed")
@pytest.mark.parametrize("file_name", ["a_split.tflite", "2nd-model.v1.tflite"])
def test_the_xxd_format_has_the_names_and_bytes_of_xxd(file_name: str, tmp_path: Path) -> None:
    model = read_model(split(small_network()))
    (tmp_path / file_name).write_bytes(model.original)
    xxd = run(["xxd", "-i", file_name], tmp_path).decode()
    name = re.findall(r"unsigned char (\w+)\[\]", xxd)[0]
    text = dict(exported(model, file_name, "xxd").files)["model_data.h"]
    assert xxd_name(file_name) == name
    assert members(text, name) == model.original
    assert f"const unsigned int {name}_len = {len(model.original)};" in text
    assert f"unsigned int {name}_len = {len(model.original)};" in xxd


@needs_gcc
def test_the_array_is_seen_aligned_from_c_and_cpp(tmp_path: Path) -> None:
    model = read_model(split(small_network()))
    write_export(exported(model, "m.tflite", "c"), tmp_path / "out")
    folder = tmp_path / "out"
    (folder / "use.c").write_text(
        '#include "model_data.h"\n#include <stdint.h>\n'
        "int main(void) { return (int)((uintptr_t)model_data % 16) + "
        f"(model_data_len != {len(model.original)}u); }}\n"
    )
    run(["gcc", "-c", "model_data.c", "-o", "data.o"], folder)
    for compiler in (["gcc"], ["g++", "-x", "c++"]):
        run([*compiler, "use.c", "-x", "none", "data.o", "-o", "use"], folder)
        run(["./use"], folder)
    run(["g++", "-x", "c++", "model_data.c", "use.c", "-o", "all_cpp"], folder)
    run(["./all_cpp"], folder)


def test_the_same_model_gives_the_same_text() -> None:
    model = split(small_network())
    first, second = (exported(read_model(model), "m.tflite", "c") for _ in range(2))
    assert first == second


def test_the_header_names_the_arena_and_the_resolver_line() -> None:
    model = read_model(split(small_network()))
    header = dict(exported(model, "m.tflite", "c").files)["model_data.h"]
    arena = re.search(r"uint8_t tensor_arena\[(\d+)\];", header)
    used = re.search(r"arena_used_bytes\(\) then says (\d+): head (\d+), tail (\d+)\.", header)
    assert arena is not None
    assert used is not None
    assert int(used[1]) == int(used[2]) + int(used[3]) <= int(arena[1])
    assert 'resolver.AddCustom("TFLM_SPLIT", tflm_split::Register_TFLM_SPLIT());' in header
    assert "MicroMutableOpResolver<1>" in header


def test_a_stock_model_is_exported_without_a_word_of_splitting() -> None:
    export = exported(read_model(DSCNN), "digits.tflite", "c", "digits")
    header = dict(export.files)["digits_data.h"]
    assert [name for name, _ in export.files] == ["digits_data.c", "digits_data.h"]
    assert export.no_standalone is not None
    assert "TFLM_SPLIT" not in header
    assert "CONV_2D, " in header


def test_a_model_with_stock_operators_needs_tflm() -> None:
    export = exported(read_model(one_region_of(network_with_a_stock_operator())), "m.tflite", "c")
    header = dict(export.files)["model_data.h"]
    assert [name for name, _ in export.files] == ["model_data.c", "model_data.h"]
    assert export.no_standalone is not None
    assert "REVERSE_V2" in export.no_standalone
    assert "MicroMutableOpResolver<2>" in header
    assert "and the stock operators REVERSE_V2" in header


def test_the_header_says_shape_and_quantisation_as_macros() -> None:
    model = read_model(split(small_network()))
    header = dict(exported(model, "m.tflite", "c", "small").files)["small.h"]
    tensor = model.graph.tensors[model.graph.inputs[0]]
    assert tensor.quantization is not None
    assert "#define SMALL_INPUT0_SHAPE {1, 16, 16, 2}\n" in header
    assert "#define SMALL_INPUT0_BYTES 512\n" in header
    assert f"#define SMALL_INPUT0_ZERO_POINT ({tensor.quantization.zero_points[0]})\n" in header
    scale = re.search(r"#define SMALL_INPUT0_SCALE (\S+)f\n", header)
    assert scale is not None
    assert np.float32(scale[1]) == np.float32(tensor.quantization.scales[0])


@pytest.mark.parametrize(
    ("value", "literal"), [(1.0, "1.0f"), (0.1, "0.1f"), (1e-10, "1e-10f"), (3e9, "3000000000.0f")]
)
def test_a_scale_is_written_as_the_shortest_exact_literal(value: float, literal: str) -> None:
    assert float_literal(value) == literal


def test_no_name_can_end_a_comment() -> None:
    assert comment_text("a*/ evil /* b\n\u00e9") == "a* / evil / * b??"


def test_an_existing_file_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    export = exported(read_model(split(small_network())), "m.tflite", "c")
    (tmp_path / "model.h").write_text("mine")
    with pytest.raises(InputError, match=r"model\.h: exists already; use --force"):
        write_export(export, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.h"]
    write_export(export, tmp_path, force=True)
    assert (tmp_path / "model.h").read_text() == dict(export.files)["model.h"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    export = exported(read_model(DSCNN), "m.tflite", "c")
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "no" / "such"):
        with pytest.raises(InputError, match="cannot be made a folder"):
            write_export(export, folder)


@pytest.mark.parametrize("name", ["", "1st", "a-b", "../x", "a b", "\u00e9"])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not a C identifier"):
        exported(read_model(DSCNN), "m.tflite", "c", name)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match="'rust' is not an export format; there are: c, xxd"):
        exported(read_model(DSCNN), "m.tflite", "rust")


def command_line(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as left:
        main(["export", *map(str, arguments)])
    return left.value.code


def test_the_command_writes_and_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "small_split.tflite"
    model.write_bytes(split(small_network()))
    assert command_line(model, "-o", tmp_path / "c") == 0
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "model.c",
        "model.h",
        "model_data.c",
        "model_data.h",
    ]
    assert command_line(model, "--format", "xxd", "-o", tmp_path / "xxd", "--name", "small") == 0
    assert sorted(path.name for path in (tmp_path / "xxd").iterdir()) == ["small.c", "small.h", "small_data.h"]
    assert "small_split_tflite_len" in (tmp_path / "xxd" / "small_data.h").read_text()
    assert capsys.readouterr().out.count("bytes\n") == 7
    assert command_line(model, "-o", tmp_path / "c") == 2
    assert "exists already" in capsys.readouterr().err
    assert command_line(model, "-o", tmp_path / "c", "--force") == 0
    assert command_line(DSCNN, "-o", tmp_path / "stock") == 0
    assert "No sources without TFLM: " in capsys.readouterr().out
