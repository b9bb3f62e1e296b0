"""Can a solver find a smaller layout, or prove that there is none?

The solver is CP-SAT of OR-Tools, an optional dependency (`tflm_split[exact]`).

Every span is a rectangle of steps by bytes. No two rectangles overlap. A leeway lets a new body overlap a dying one: then
the bytes that it covers are taken off the dying body's last step.

The solver is given a known layout as a hint and must stay below it. It runs on one thread, for a given amount of its own
deterministic time, so the same problem always gets the same answer. It also proves a lower bound, often above the live
bytes.

OR-Tools and TensorFlow crash in one process. Where TensorFlow is loaded, the solver runs in a process of its own.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflm_split.errors import ToolError
from tflm_split.plan.problem import Body, Layout, Leeway, head_bytes, unit_bytes

MOST_BODIES = 1500
"""With more bodies than this, the solver's time would be spent on reading the problem."""
SEED = 1


@dataclass(frozen=True, slots=True)
class Exact:
    """The solver's answer. `addresses` is None if it found no layout below the known one."""

    addresses: tuple[int, ...] | None
    lower_bound_bytes: int


def available() -> bool:
    """Whether the solver is installed."""
    return importlib.util.find_spec("ortools") is not None


def solve_exactly(
    bodies: Sequence[Body],
    layout: Layout,
    deterministic_time: float,
    leeways: Sequence[Leeway] = (),
    granule_bytes: int = 1,
) -> Exact:
    """Looks for addresses with a smaller head than `layout`, for that much time. Needs `available()`.

    Heads, and the bound that is proved, count in multiples of `granule_bytes`.
    """
    solve = _in_another_process if "tensorflow" in sys.modules else _solve
    return solve(bodies, layout, deterministic_time, leeways, granule_bytes)


def _in_another_process(
    bodies: Sequence[Body], layout: Layout, deterministic_time: float, leeways: Sequence[Leeway], granule_bytes: int
) -> Exact:
    problem = pickle.dumps((bodies, layout, deterministic_time, leeways, granule_bytes))
    path = os.pathsep.join((str(Path(__file__).resolve().parents[2]), *filter(None, sys.path)))
    done = subprocess.run(
        [sys.executable, "-m", "tflm_split.plan.exact_worker"],
        input=problem,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(f"the solver failed in a process of its own, with exit code {done.returncode}")
    answer: Exact = pickle.loads(done.stdout)  # of our own process
    return answer


def _solve(
    bodies: Sequence[Body], layout: Layout, deterministic_time: float, leeways: Sequence[Leeway], granule_bytes: int
) -> Exact:
    from ortools.sat.python import cp_model

    unit = unit_bytes(bodies)
    limit = (_units(layout.head_bytes, granule_bytes) - 1) * granule_bytes
    if limit < layout.lower_bound_bytes:
        return Exact(None, layout.lower_bound_bytes)
    top = _units(limit, unit)
    model = cp_model.CpModel()
    head = model.new_int_var(_units(layout.lower_bound_bytes, unit), top, "head")
    address = _addresses(model, head, bodies, layout, limit, unit)
    _keep_apart(model, bodies, address, leeways, layout, top, unit)
    model.minimize(head)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = SEED
    solver.parameters.max_deterministic_time = deterministic_time
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return Exact(None, limit + granule_bytes)
    # The highest span may end inside its last unit.
    in_bytes = (int(solver.best_objective_bound) - 1) * unit + 1
    bound = max(layout.lower_bound_bytes, _units(in_bytes, granule_bytes) * granule_bytes)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Exact(None, bound)
    solution = tuple(int(solver.value(a)) * unit for a in address)
    return Exact(solution if head_bytes(bodies, solution) < layout.head_bytes else None, bound)


def _units(count: int, unit: int) -> int:
    return -(-count // unit)


def _addresses(model: Any, head: Any, bodies: Sequence[Body], layout: Layout, limit_bytes: int, unit: int) -> list[Any]:
    """By body: a variable for its address, in units. The body ends at `head` or below; `layout`'s address is the hint."""
    top = _units(limit_bytes, unit)
    address: list[Any] = []
    for b, body in enumerate(bodies):
        multiple = model.new_int_var(0, (top - _units(body.bytes, unit)) // (body.align // unit), f"address {b}")
        model.add_hint(multiple, min(layout.addresses[b], limit_bytes - body.bytes) // body.align)
        address.append(multiple * (body.align // unit))
        model.add(address[b] + _units(body.bytes, unit) <= head)
    return address


def _keep_apart(
    model: Any,
    bodies: Sequence[Body],
    address: Sequence[Any],
    leeways: Sequence[Leeway],
    layout: Layout,
    top: int,
    unit: int,
) -> None:
    """Adds the rule that no two rectangles overlap.

    A body that others may overlap (`read` of a leeway) is two rectangles: all steps but the last, and whatever the
    others leave uncovered in the last.
    """
    covers: dict[int, list[Leeway]] = {}
    for leeway in leeways:
        covers.setdefault(leeway.read, []).append(leeway)
    steps: list[Any] = []
    bytes_: list[Any] = []
    for b, body in enumerate(bodies):
        for span in body.spans:
            if span.start >= span.stop or not span.bytes:
                continue
            stop = span.stop - 1 if b in covers else span.stop
            if span.start < stop:
                low = address[b] + _units(span.offset, unit)
                steps.append(model.new_fixed_size_interval_var(span.start, stop - span.start, ""))
                bytes_.append(model.new_fixed_size_interval_var(low, _units(span.bytes, unit), ""))
        if b in covers:
            left, still_there = _what_is_left(model, bodies, address, covers[b], layout, top, unit)
            steps.append(model.new_optional_fixed_size_interval_var(body.stop - 1, 1, still_there, ""))
            bytes_.append(left)
    model.add_no_overlap_2d(steps, bytes_)


def _what_is_left(
    model: Any,
    bodies: Sequence[Body],
    address: Sequence[Any],
    leeways: Sequence[Leeway],
    layout: Layout,
    top: int,
    unit: int,
) -> tuple[Any, Any]:
    """(interval of the bytes of a dying body that stay uncovered in its last step, whether there are any).

    A written body covers the lowest bytes of the dying one. It must start at the leeway's distance below, or further.
    """
    b = leeways[0].read
    count = _units(bodies[b].bytes, unit)
    covered = model.new_int_var(0, count, "")
    users = []
    most = 0
    for leeway in leeways:
        user = model.new_bool_var("")
        w = leeway.written
        size, distance = _units(bodies[w].bytes, unit), _units(leeway.distance_bytes, unit)
        if distance:
            model.add(address[w] + distance <= address[b]).only_enforce_if(user)
        else:
            model.add(address[w] == address[b]).only_enforce_if(user)
        model.add(address[w] + size >= address[b] + covered).only_enforce_if(user)
        below = _units(layout.addresses[b], unit) - _units(layout.addresses[w], unit)
        reach = size - below if (below >= distance if distance else below == 0) else 0
        hint = min(max(reach, 0), count)
        model.add_hint(user, hint > most)
        most = max(most, hint)
        users.append(user)
    model.add(covered == 0).only_enforce_if([user.negated() for user in users])
    still_there = model.new_bool_var("")
    model.add(covered < count).only_enforce_if(still_there)
    model.add(covered == count).only_enforce_if(still_there.negated())
    model.add_hint(covered, most)
    model.add_hint(still_there, most < count)
    start, size = model.new_int_var(0, top, ""), model.new_int_var(0, count, "")
    model.add(start == address[b] + covered)
    model.add(size + covered == count)
    return model.new_optional_interval_var(start, size, address[b] + count, still_there, ""), still_there
