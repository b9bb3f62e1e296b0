"""No function is longer than a page: below 60 lines in the package, below 80 in the C runtime."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON_LINES, C_LINES = 59, 79


def python_functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, number of lines) of every function of a Python file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{path.name}:{node.name}", node.end_lineno - node.lineno + 1


def c_functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, number of lines up to the closing brace) of every function of a C file laid out by clang-format.

    There, a definition begins in the first column and goes on to the next brace in the first column.
    """
    for found in re.finditer(r"^\w[^;{}#]*?(\w+)\([^;{}]*\) \{\n.*?^\}", path.read_text(), re.M | re.S):
        yield f"{path.name}:{found[1]}", found[0].count("\n") + 1


def longer_than(found: list[tuple[str, int]], most: int) -> set[str]:
    """Files and functions that have more lines than allowed. Different folders may have files of the same name."""
    return {name for name, lines in found if lines > most}


def test_every_function_of_the_package_fits_a_page() -> None:
    found = [f for path in (ROOT / "tflm_split").rglob("*.py") for f in python_functions(path)]
    assert len(found) > 900
    assert longer_than(found, PYTHON_LINES) == set()


def test_every_function_of_the_runtime_fits_a_page() -> None:
    sources = [*(ROOT / "tflm_runtime_patch").rglob("*.c"), *(ROOT / "tflm_split").rglob("*.c")]
    found = [f for path in sources for f in c_functions(path)]
    assert len(found) > 200
    assert longer_than(found, C_LINES) == set()


def test_the_lines_of_a_c_function_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.c"
    path.write_text(
        "#define F(x) {\n/* A\n * comment. */\ntypedef struct {\n    int b;\n} c;\n"
        "static const int d[] = {\n    1,\n};\nint e(int);\n"
        "static int first(int a,\n                 int b) {\n    if (a) {\n        return 1;\n    }\n    return b;\n}\n\n"
        "int second(void) {\n    return 0;\n}\n"
    )
    assert dict(c_functions(path)) == {"a.c:first": 7, "a.c:second": 3}
