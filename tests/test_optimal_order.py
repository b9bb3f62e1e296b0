"""Orders of tasks: the least peak of all orders, tried one by one, and the search's answer when there are too many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from tflm_split.schedule.optimal_order import Order, OrderProblem, Task, least_live_order


def simulated_peak_bytes(problem: OrderProblem, order: Sequence[int]) -> int:
    """The most bytes that are live while a task runs, or at the start, straight from the definition."""
    here = set(problem.initial)
    peak = sum(problem.bytes[b] for b in here)
    for at, k in enumerate(order):
        task = problem.tasks[k]
        made = task.makes - here
        here |= task.makes
        later = {b for n in order[at + 1 :] for b in problem.tasks[n].reads | problem.tasks[n].makes}
        dying = {b for b in task.reads | task.makes if b in here and b not in later | problem.final}
        made_bytes = sum(problem.bytes[b] for b in made)
        over = max((min(n, made_bytes) for b, n in task.overwrites.items() if b in dying - task.makes), default=0)
        peak = max(peak, sum(problem.bytes[b] for b in here) - over)
        here -= dying
    return peak


def every_order(problem: OrderProblem, done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    if len(done) == len(problem.tasks):
        yield done
    for k, task in enumerate(problem.tasks):
        if k not in done and task.needs.issubset(done):
            yield from every_order(problem, (*done, k))


def can_run(problem: OrderProblem, order: Sequence[int]) -> bool:
    return sorted(order) == list(range(len(problem.tasks))) and all(
        problem.tasks[k].needs.issubset(order[:at]) for at, k in enumerate(order)
    )


@st.composite
def problems(draw: st.DrawFn, most_tasks: int = 7) -> OrderProblem:
    """Task k makes buffer k + 1 and reads some earlier ones; buffer 0 is the input. Sometimes two tasks write one buffer."""
    count = draw(st.integers(1, most_tasks))
    sizes = [draw(st.integers(1, 9)) for _ in range(count + 1)]
    makes = [k + 1 if draw(st.integers(0, 9)) or k == 0 else k for k in range(count)]
    tasks = []
    for k in range(count):
        reads = frozenset(draw(st.lists(st.sampled_from([0, *makes[:k]]), min_size=1, max_size=3))) - {makes[k]}
        needs = frozenset(m for m in range(k) if makes[m] in reads)
        over = {b: draw(st.integers(0, sizes[b])) for b in sorted(reads)} if draw(st.booleans()) else {}
        tasks.append(Task(needs, reads, frozenset({makes[k]}), over))
    read = {b for t in tasks for b in t.reads}
    final = frozenset(m for m in makes if m not in read)
    return OrderProblem(tuple(tasks), tuple(sizes), frozenset({0}), final)


@settings(max_examples=300, deadline=None)
@given(problems())
def test_no_order_is_better(problem: OrderProblem) -> None:
    found = least_live_order(problem)
    least = min(simulated_peak_bytes(problem, order) for order in every_order(problem))
    assert can_run(problem, found.tasks)
    assert simulated_peak_bytes(problem, found.tasks) == found.peak_bytes
    assert found.peak_bytes == least == found.lower_bound_bytes


@settings(max_examples=200, deadline=None)
@given(problems(), st.integers(0, 12), st.integers(1, 3))
def test_what_is_proven_holds_however_little_may_be_looked_at(problem: OrderProblem, states: int, beam: int) -> None:
    found = least_live_order(problem, states, beam)
    least = min(simulated_peak_bytes(problem, order) for order in every_order(problem))
    assert can_run(problem, found.tasks)
    assert simulated_peak_bytes(problem, found.tasks) == found.peak_bytes
    assert found.lower_bound_bytes <= least <= found.peak_bytes


@settings(max_examples=300, deadline=None)
@given(problems(most_tasks=9), st.integers(0, 40), st.integers(1, 3))
def test_orders_in_c_and_in_python_are_the_same(problem: OrderProblem, states: int, beam: int) -> None:
    in_c, in_python = (least_live_order(problem, states, beam, native) for native in (True, False))
    assert in_c == in_python


def cell(branches: int, large: int, start: int = 0, first_buffer: int = 0) -> tuple[list[Task], list[int]]:
    """Branches that widen and narrow. All read buffer `first_buffer`, and the last task reads all of them."""
    tasks, sizes = [], []
    buffer = first_buffer
    for _ in range(branches):
        wide, narrow = buffer + 1, buffer + 2
        tasks.append(Task(frozenset({start - 1} - {-1}), frozenset({first_buffer}), frozenset({wide})))
        tasks.append(Task(frozenset({start + len(tasks) - 1}), frozenset({wide}), frozenset({narrow})))
        sizes += [large, 1]
        buffer = narrow
    ends = range(first_buffer + 2, buffer + 1, 2)
    needs = frozenset(range(start + 1, start + 2 * branches, 2))
    tasks.append(Task(needs, frozenset(ends), frozenset({buffer + 1})))
    sizes.append(1)
    return tasks, sizes


def test_one_branch_after_the_other_keeps_one_wide_buffer() -> None:
    tasks, sizes = cell(4, 10)
    found = least_live_order(OrderProblem(tuple(tasks), (1, *sizes), frozenset({0}), frozenset({len(sizes)})))
    assert found == Order(tuple(range(9)), 14, 14)  # 1 + 10 + 1 narrow, plus 2 narrow of others, is the third branch's


def test_cells_one_after_the_other_are_solved_one_by_one() -> None:
    """Twelve cells of four branches. All cells together have too many sets of executed tasks, each cell alone does not."""
    tasks: list[Task] = []
    sizes = [1]
    for _ in range(12):
        more, larger = cell(4, 10, len(tasks), len(sizes) - 1)
        tasks += more
        sizes += larger
    problem = OrderProblem(tuple(tasks), tuple(sizes), frozenset({0}), frozenset({len(sizes) - 1}))
    found = least_live_order(problem, states=2000, beam=1)
    assert found.peak_bytes == found.lower_bound_bytes == simulated_peak_bytes(problem, found.tasks)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 7)), min_size=2, max_size=7))
def test_tasks_that_move_as_one_lose_nothing(drawn: list[tuple[bool, int, int]]) -> None:
    """Long chains with a few branches. Most tasks wait for the one task that reads them."""
    tasks = []
    for k, (follows, _, other) in enumerate(drawn):
        reads = frozenset({k} if follows else {k, other % (k + 1)})
        tasks.append(Task(frozenset(b - 1 for b in reads if b), reads, frozenset({k + 1})))
    read = frozenset().union(*(t.reads for t in tasks))
    final = frozenset(range(len(tasks) + 1)) - read
    problem = OrderProblem(tuple(tasks), (4, *(size for _, size, _ in drawn)), frozenset({0}), final)
    found = least_live_order(problem)
    least = min(simulated_peak_bytes(problem, order) for order in every_order(problem))
    assert found.peak_bytes == least == found.lower_bound_bytes == simulated_peak_bytes(problem, found.tasks)


def test_a_sum_written_over_its_dying_operand_costs_nothing() -> None:
    first = Task(frozenset(), frozenset({0}), frozenset({1}))
    second = Task(frozenset({0}), frozenset({0, 1}), frozenset({2}), {0: 8, 1: 8})
    partly = Task(frozenset({0}), frozenset({0, 1}), frozenset({2}), {0: 5})
    apart = Task(frozenset({0}), frozenset({0, 1}), frozenset({2}))
    sizes = (8, 8, 8)
    assert least_live_order(OrderProblem((first, second), sizes, frozenset({0}), frozenset({2}))).peak_bytes == 16
    assert least_live_order(OrderProblem((first, partly), sizes, frozenset({0}), frozenset({2}))).peak_bytes == 19
    assert least_live_order(OrderProblem((first, apart), sizes, frozenset({0}), frozenset({2}))).peak_bytes == 24


def test_the_same_problem_gives_the_same_order() -> None:
    tasks, sizes = cell(5, 10)
    problem = OrderProblem(tuple(tasks), (1, *sizes), frozenset({0}), frozenset({len(sizes)}))
    assert least_live_order(problem, 10) == least_live_order(problem, 10)


def test_a_beam_that_is_off_is_corrected_by_budgets() -> None:
    """Branches whose first steps look alike. A beam of width 1 chooses the wrong ones, a search within a budget does not."""
    tasks, sizes = [], [8]
    for branch in range(6):
        first, second = len(sizes), len(sizes) + 1
        tasks.append(Task(frozenset(), frozenset({0}), frozenset({first})))
        tasks.append(Task(frozenset({len(tasks) - 1}), frozenset({first}), frozenset({second})))
        sizes += [10, 9 - branch]
    ends = frozenset(range(2, len(sizes), 2))
    tasks.append(Task(frozenset(range(1, len(tasks), 2)), ends, frozenset({len(sizes)})))
    problem = OrderProblem(tuple(tasks), (*sizes, 1), frozenset({0}), frozenset({len(sizes)}))
    narrow, exact = least_live_order(problem, states=0, beam=1), least_live_order(problem, states=500, beam=1)
    assert exact.peak_bytes == exact.lower_bound_bytes <= narrow.peak_bytes


def test_nothing_to_order() -> None:
    assert least_live_order(OrderProblem((), (5,), frozenset({0}), frozenset({0}))) == Order((), 5, 5)
