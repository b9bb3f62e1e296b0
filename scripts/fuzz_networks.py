"""Does every network come out with the same bytes? Random networks, split with random options, compared in TFLM.

`python scripts/fuzz_networks.py [--first 0] [--count 1000] [--keep FOLDER]` makes the networks of `tests/odd_networks.py`: what
stays stock stands anywhere between what is split. Each is optimised with options drawn from its number, and run in TFLM beside
its original. Prints how many there were of each outcome, and every network that ended in anything but equal bytes or a refusal;
leaves with 1 if there was one. `--keep` writes those models into a folder.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from odd_networks import odd_network  # noqa: E402  # of tests/, which is no package
from tflm_server import TflmServer  # noqa: E402

import tflm_split  # noqa: E402
from tflm_split.errors import InputError  # noqa: E402
from tflm_split.ir.graph import Graph, Model  # noqa: E402
from tflm_split.tflite.reader import read_model  # noqa: E402
from tflm_split.verify.calls import calls_of, joined, wrong_position  # noqa: E402
from tflm_split.verify.compare import converted_inputs  # noqa: E402
from tflm_split.verify.compare import test_inputs as made_inputs  # noqa: E402

INPUTS = 3
INTERFACES = ("target", "memory", "stream_input", "stream_output", "reuse_window")
"""Options that not every network can have."""


def options_of(number: int) -> dict[str, Any]:
    """The options for a network: little effort, and any of the axes, limits, interfaces, memories and targets."""
    random = Random(number + 1_000_000)
    options: dict[str, Any] = {"effort": random.choice((0, 20, 100)), "verify": False}
    if random.random() < 0.4:
        options["axes"] = random.choice(("rows", "channels", "rows,channels", "rows,columns"))
    if random.random() < 0.6:
        options["max_slowdown"] = random.choice((1.0, round(random.uniform(1, 2), 2), 2.0, 2.0, 4.0))
    options |= random.choices(
        (
            {},
            {"max_arena": random.choice(("1K", "4K", "1M"))},
            {"target": "stock"},
            {"memory": f"fast={random.choice((200, 800, 4096))},slow=1M"},
            {"stream_input": random.randint(1, 4)},
            {"stream_output": random.randint(1, 4)},
            {"reuse_window": random.randint(1, 2)},
        ),
        (10, 4, 2, 3, 3, 1, 1),
    )[0]
    return options


def judged(number: int, server: TflmServer) -> str:
    """The outcome for one network, in a word. Raises AssertionError when bytes differ, and whatever else goes wrong."""
    model, options = odd_network(number), options_of(number)
    try:
        graph = read_model(model).graph
        inputs = made_inputs(graph, INPUTS, number)
        expected = server.run(model, inputs).outputs
    except (RuntimeError, InputError) as error:
        return f"TFLM does not run it ({str(error)[:60]})"
    if "reuse_window" in options:  # the compiler's own verification makes inputs that slide
        options |= {"verify": True, "inputs": 12, "seed": number}
    interface = next((word for word in INTERFACES if word in options), None)
    try:
        result = tflm_split.optimize(model, **options)
    except InputError as error:
        if interface is None:
            raise
        return f"{interface} refused ({str(error)[:60]})"
    counts = result.report["optimized"]
    if counts["split_ops"] + counts["stock_ops"] > result.report["model"]["ops"]:
        raise AssertionError(f"counts {counts['split_ops']} and {counts['stock_ops']} operators")
    if result.report["kept_original"]:
        return "kept"
    if "reuse_window" not in options:
        compare(server, read_model(result.model), graph, inputs, expected, counts["planned_head_bytes"])
    if interface:
        return interface
    return "split in part" if counts["stock_ops"] else "split"


def compare(
    server: TflmServer, made: Model, graph: Graph, inputs: list[Any], expected: Sequence[Any], head_bytes: int
) -> None:
    """Run what was made of the network `graph`, call by call where it streams. Raises AssertionError."""
    calls = calls_of(made)
    found = server.run(made.original, converted_inputs(graph, made.graph, inputs, calls))
    for k, wanted in enumerate(expected):
        of_calls = found.outputs[k * calls.count : (k + 1) * calls.count]
        if (fault := wrong_position(of_calls, calls)) or joined(of_calls, calls) != wanted:
            raise AssertionError(fault or "the bytes differ")
    if found.measured_head_bytes != head_bytes:
        raise AssertionError(f"a head of {found.measured_head_bytes} bytes, planned another")


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Split random networks, and compare them with their originals in TFLM."
    )
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER")
    parser.add_argument("--count", type=int, default=1000, metavar="NUMBER")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    outcomes: Counter[str] = Counter()
    failed: list[int] = []
    server = TflmServer()
    start = time.process_time()
    for number in range(arguments.first, arguments.first + arguments.count):
        try:
            outcomes[judged(number, server)] += 1
            if not (number + 1) % 100:
                print(f"{number}: {len(failed)} failed", flush=True)
        except Exception as error:
            failed.append(number)
            print(f"{number}: {type(error).__name__}: {error}", flush=True)
            if len(failed) < 5:
                traceback.print_exc()
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{number}.tflite").write_bytes(odd_network(number))
    server.close()
    for outcome, count in outcomes.most_common():
        print(f"{count:6,}  {outcome}")
    print(f"{len(failed):6,}  failed: {failed}; {time.process_time() - start:.0f} s of one core")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
