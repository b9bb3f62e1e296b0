"""A packing problem survives its CSV file, and a line that is no body is refused by its number."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from test_squeeze import Problem, problems

from tflm_split.errors import InputError
from tflm_split.plan.problem import Body, Leeway, Span
from tflm_split.plan.problem_file import parse_problem, problem_csv


@settings(deadline=None, max_examples=50)
@given(problems())
def test_a_problem_that_was_written_and_read_is_the_same(problem: Problem) -> None:
    bodies, leeways = problem
    leeways = [replace(x, free_from_bytes=x.distance_bytes) for x in leeways]
    assert parse_problem(problem_csv(bodies, leeways)) == (tuple(bodies), tuple(leeways))


def test_the_file_has_a_line_for_each_body() -> None:
    bodies = [Body((Span(0, 3, 0, 8), Span(0, 5, 8, 8)), 16), Body((Span(4, 6, 0, 12),), 4)]
    text = problem_csv(bodies, [Leeway(0, 1, 4, 2.5, 8)])
    assert text == "body,align,spans,may_overlap\n0,16,0:3:0:8 0:5:8:8,\n1,4,4:6:0:12,0:4:2.5:8\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1: is no packing problem"),
        ("a,b\n", "line 1: is no packing problem"),
        ("0,4,0:1:0:4\n", "line 2: is no body"),
        ("1,4,0:1:0:4,\n", "line 2: is no body"),
        ("0,0,0:1:0:4,\n", "line 2: is no body"),
        ("0,4,,\n", "line 2: is no body"),
        ("0,4,3:1:0:4,\n", "line 2: is no body"),
        ("0,4,0:1:x:4,\n", "line 2: is no body"),
        ("0,4,0:1:0:4,1\n", "line 2: is no body"),
        ("0,4,0:1:0:4,7:0\n", "line 2: may overlap body 7, which does not exist"),
    ],
)
def test_what_is_no_problem_is_refused(text: str, sentence: str) -> None:
    header = "" if "line 1" in sentence else "body,align,spans,may_overlap\n"
    with pytest.raises(InputError, match=sentence):
        parse_problem(header + text)
