"""Does every module have its tests where `tests/README.md` says, and does every test assert something?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "tflm_split"
ELSEWHERE = {
    "analysis/cmsis_nn": ("test_fit", "arenas measured with CMSIS-NN are named to the byte"),
    "analysis/kernel_sets": ("test_fit", "arenas are measured with each set of kernels"),
    "analysis/boards": ("test_latency", "boards differ in what their instructions cost"),
    "memories": ("test_two_memories", "they are an option, and what it does is tested there"),
    "errors": ("test_cli", "every error is one sentence of the command line"),
    "pipeline": ("test_api", "it is what the functions of the package call"),
    "lower": ("test_emit", "a program is emitted, placed and assembled in one go"),
    "native/build": ("test_runtime_build", "it builds the runtime"),
    "export/runtime": ("test_runtime_copy", "it copies the runtime"),
    "export/runtime_cli": ("test_runtime_copy", "it copies the runtime"),
    "native/sources": ("test_runtime_build", "they are what the runtime is built of"),
    "native/loops": ("test_squeeze", "its loops are asked for the same answers as Python's"),
    "plan/body_arrays": ("test_squeeze", "the loops in C read them, and list the pairs that Python lists"),
    "report/inspected": ("test_api", "it is what a function of the package gives"),
    "report/markup": ("test_page", "the page is made of it"),
    "report/plots": ("test_page", "it draws what the page draws"),
    "report/small": ("test_page", "it is the page in small"),
    "report/svg": ("test_page", "the page shows them"),
    "report/timeline": ("test_page", "the page draws them"),
    "report/view": ("test_page", "it is what the page shows"),
    "report/result": ("test_api", "it is what the functions of the package give"),
    "rewrite/copy_operators": ("test_copies", "it is one half of the copies that the search proposes"),
    "verify/sigmoid": ("test_lstm", "int16 LOGISTIC and TANH, and LSTMs, are computed by it"),
    "search/inside": ("test_evidence", "it is asked where there is too little evidence"),
    "verify/other_inputs": ("test_evidence", "they are tried to find evidence"),
    "tflite/resize": ("test_shrink", "narrower networks and other resolutions are what it is for"),
    "verify/unrunnable": ("test_evidence", "it is asked before the original runs"),
    "analysis/made_for": ("test_programs", "`inspect` reads it in a file's programs"),
    "rewrite/constant_values": ("test_fold_constants", "it says what a folded constant is"),
    "rewrite/drop_dead": ("test_regions", "it goes before the regions are found"),
    "rewrite/tile_columns": ("test_tiles", "it is one half of the tiles that the search proposes"),
    "schedule/divide": ("test_polish", "the polish divides windows"),
    "schedule/min_cut": ("test_polish", "the polish asks for the cuts"),
    "schedule/orders": ("test_cuts", "an order is worth what its best cuts are"),
    "schedule/leeways": ("test_lives", "leeways are overlaps of the pieces that live"),
    "schedule/step_arrays": ("test_cuts", "the loops in C read them"),
    "schedule/part_arrays": ("test_optimal_order", "the search in C reads them"),
    "schedule/recomputed": ("test_search", "the search asks for it"),
    "schedule/step_lister": ("test_step_builder", "it lists in Python what is built in C"),
    "schedule/step_graph": ("test_lives", "lives are read off the steps"),
    "search": ("test_search", "the search is asked as a whole"),
    "split/axes": ("test_axes", "the axes are rows of one table"),
    "split/channel_rules": ("test_channel_groups", "they say which groups there may be"),
    "split/crossing": ("test_regions", "what crosses is what lies between two regions"),
    "split/row_op": ("test_operators", "it is what the operators become"),
    "terminal": ("test_cli", "the terminal is what the command line writes to"),
    "tflite/bounds": ("test_tflite_reader", "it is the reader's first question"),
    "tflite/edit": ("test_tflite_writer", "it makes what the writer writes"),
    "tflite/prune": ("test_tflite_writer", "it makes what the writer writes"),
    "tflite/schema": ("test_tflite_reader", "it is what the reader reads"),
    "tflite/offline_plan": ("test_tflm_planner", "TFLM's planner follows it"),
    "tflite/hidden_variables": ("test_state", "they are state"),
    "verify/level": ("test_own", "levels differ where our own model verifies"),
    "verify/access": ("test_replay", "it says what a step of the replay touches"),
    "verify/tags": ("test_replay", "they are the replay's memory"),
    "verify/fixed_point": ("test_oracle", "it is the oracle's arithmetic"),
    "verify/verification": ("test_compare", "it compares"),
}
"""Module or folder -> (where its tests are, why)."""


def modules() -> list[str]:
    """`plan/moves` for every module of the package with a body of its own."""
    paths = (path.relative_to(PACKAGE).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    return [path.as_posix() for path in paths if not path.name.startswith("__")]


def names_of_tests(module: str) -> Iterator[str]:
    """The names that the tests of a module may have, the best one first."""
    *folders, name = module.split("/")
    words = name.split("_")
    for first in range(len(words), 0, -1):
        stem = "_".join(words[:first])
        yield from ("_".join(("test", *folders[k:], stem)) for k in range(len(folders) + 1))
    yield from ("_".join(("test", *folders[k:])) for k in range(len(folders)))


@pytest.mark.parametrize("module", modules())
def test_a_module_has_its_tests(module: str) -> None:
    by_name = [name for name in names_of_tests(module) if (TESTS / f"{name}.py").is_file()]
    told = next((ELSEWHERE[part] for part in (module, *map(str, Path(module).parents)) if part in ELSEWHERE), None)
    assert by_name or told is not None
    if not by_name and told is not None:
        assert (TESTS / f"{told[0]}.py").is_file()


def test_no_exception_is_left_over() -> None:
    there = {part for module in modules() for part in (module, *map(str, Path(module).parents))}
    assert set(ELSEWHERE) <= there


def functions() -> dict[str, list[tuple[Path, ast.FunctionDef]]]:
    """Every function of the tests, by its name."""
    found: dict[str, list[tuple[Path, ast.FunctionDef]]] = {}
    for path in sorted(TESTS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append((path, node))
    return found


def called(node: ast.AST) -> set[str]:
    """The names that a function calls: `c` for `a.b.c()`."""
    calls = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    return {f.attr if isinstance(f, ast.Attribute) else f.id for f in calls if isinstance(f, ast.Attribute | ast.Name)}


def test_every_test_asserts_something() -> None:
    """It asserts itself, or it calls a function of the tests that does."""
    found = functions()
    asserting = {
        name
        for name, nodes in found.items()
        if any(isinstance(part, ast.Assert) for _, node in nodes for part in ast.walk(node))
    }
    asserting |= {"raises", "assert_array_equal"}  # of pytest and of NumPy
    while True:
        more = {name for name, nodes in found.items() if any(called(node) & asserting for _, node in nodes)} - asserting
        if not more:
            break
        asserting |= more
    silent = [
        f"{nodes[0][0].name}: {name}" for name, nodes in found.items() if name[:5] == "test_" and name not in asserting
    ]
    assert silent == []


ROOT = TESTS.parent
OF_A_KIND = (
    r"tflm_split/kinds/\w+\.py",
    r"tflm_split/split/operators/\w+\.py",
    r"tflm_split/verify/known/\w+\.py",
    r"tflm_runtime_patch/split_nn/ops/\w+\.c",
    r"tests/samples\.py",
    r"tests/test_operators_\w+\.py",
)
"""The files of a kind that people write, by the recipe in `tflm_split/README.md`, apart from a kernel."""
KERNEL = r"tflm_runtime_patch/split_nn/kernels/portable/\w+\.c"
COSTS = r"tflm_split/analysis/latency\w*\.py|tests/test_latency\.py"
"""Where the instructions of a kind may be said and tested. Without, they are estimated."""
GENERATED = ("tflm_split/kinds/op_kind.py", "tflm_runtime_patch/split_nn/generated/")


def files_that_name(word: str) -> set[str]:
    """Files of code in which a word stands, apart from this one and from what is generated."""
    folders = [ROOT / name for name in ("tflm_split", "tflm_runtime_patch", "tests", "scripts")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".c", ".h", ".cc")]
    holding = (path for path in files if re.search(rf"\b{word}\b", path.read_text()))
    names = {path.relative_to(ROOT).as_posix() for path in holding if path != Path(__file__).resolve()}
    return {name for name in names if not name.startswith(GENERATED)}


@pytest.mark.parametrize("kind", ["ROW_SUM", "TRANSPOSE_CONV_INT16"])
def test_a_kind_is_in_the_files_of_its_recipe_and_in_no_others(kind: str) -> None:
    """The two examples that the recipe names. Each of its steps is one file."""
    named = sorted(name for name in files_that_name(kind) if not re.fullmatch(COSTS, name))
    of_steps = [[name for name in named if re.fullmatch(step, name)] for step in (*OF_A_KIND, KERNEL)]
    assert sorted(name for names in of_steps for name in names) == named
    assert all(len(names) <= 1 for names in of_steps)
    assert all(of_steps[:5])


def test_the_recipe_of_a_kind_has_six_steps_and_names_these_files() -> None:
    text = (PACKAGE / "README.md").read_text()
    recipe = text[text.index("### A new kind of op\n") : text.index("### A new operator of TFLite")]
    steps = re.findall(r"^(\d)\. `([^`]+)`", recipe, re.MULTILINE)
    assert [number for number, _ in steps] == list("123456")
    for (_, path), pattern in zip(steps, OF_A_KIND, strict=True):
        named = path.replace("<family>", "x")
        assert re.fullmatch(pattern, named if named.startswith("t") else f"tflm_split/{named}"), path
