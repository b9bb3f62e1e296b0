"""Trains, prunes, splits and measures the networks of `shrink_networks.py`: `python scripts/bench_shrink.py CACHE`.

Each result is one file of `models/shrunk/`, named after set, method, aim, limit and seed. What is there is not done again, so
a run that was stopped goes on. Trained baselines are kept in CACHE, where `shrink_data.py` keeps the sets. One thread.
`write_shrink.py` makes the tables of docs/shrink.md of the results.

Methods: `split` (the whole network), `prune` (no splitting; pruned where stock TFLM's memory peaks), `both`, and `ablation`: both,
but tuned for a short time, and with other aims. Accuracy is that
of the int8 file in TFLM. Where it was split, every output byte is the same, which `optimize` verifies. The input is streamed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-not-found]  # not installed where types are checked
import numpy as np
import shrink_data
import shrink_networks
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from tflm_split import pipeline, shrink
from tflm_split.analysis.liveness import live_bytes_per_operator
from tflm_split.ir.graph import ABSENT, Graph
from tflm_split.plan.effort import DEFAULT_EFFORT
from tflm_split.shrink.convert import converted
from tflm_split.shrink.cost import Cost, Costs, cost_of, stock_cost
from tflm_split.shrink.slicing import sliced
from tflm_split.shrink.studied import Study
from tflm_split.shrink.widths import least_widths, removed_units
from tflm_split.tflite.reader import read_model

RESULTS = Path(__file__).resolve().parent.parent / "models" / "shrunk"
BATCH = 64
SMALL_SIDE, SMALL_EPOCHS = 48, 12
WEIGHT_DECAY = 0.02
MOST_DROP = 0.005
"""Networks count as equally accurate if they lose no more than this of the baseline's accuracy, on average over seeds."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Limits are the arena of stock TFLM divided by the factors, which are tried in turn."""

    epochs: int
    tuning_epochs: int
    learning_rate: float
    seeds: int
    both: tuple[float, ...]
    prune: tuple[float, ...]
    ablation: tuple[float, ...]
    samples: int | None = None
    test_samples: int | None = None


RECIPES = {
    "watch": Recipe(7, 12, 3e-3, 3, (13,), (2,), (13,)),
    "digits": Recipe(12, 12, 3e-3, 3, (8.5,), (2,), (10.5,)),
    "fashion": Recipe(8, 12, 3e-3, 1, (9.1, 10.5), (2,), (10.5,), 5000, 2000),
    "person": Recipe(4, 6, 3e-3, 1, (14.7,), (2,), (14.7,), 2500, 1000),
}
METHODS = ("split", "both", "ablation", "prune")
ABLATED_AIMS = ("arena", "macs", "weights")
ABLATION_EPOCHS = 6
"""All aims are tuned for so long, which is too short for the best accuracy."""


@dataclass(frozen=True)
class Job:
    """One result: a network of a set, made smaller by a method to stock's arena divided by `factor`."""

    data: str
    method: str
    aim: str
    factor: float
    seed: int

    @property
    def path(self) -> Path:
        what = self.method if self.method == "split" else f"{self.method}_{self.aim}_{self.factor:g}"
        return RESULTS / f"{self.data}_{what}_{self.seed}.json"

    def done(self) -> bool:
        return self.path.exists()


class StockCosts(Costs):
    """What networks cost in stock TFLM, without a split: for pruning alone."""

    def near(self, removed: Collection[int] = ()) -> Cost:
        model = self.mapped.sliced(frozenset(removed))
        return replace(stock_cost(model), holders=at_peak(model.graph))

    placed = searched = near


def at_peak(graph: Graph) -> tuple[tuple[str, int], ...]:
    """The tensors that live at the operator that has the most bytes live, and their bytes."""
    live = live_bytes_per_operator(graph)
    k = live.index(max(live))
    made = {t for op in graph.operators[: k + 1] for t in op.outputs} | set(graph.inputs)
    read = {t for op in graph.operators[k:] for t in op.inputs if t != ABSENT} | set(graph.operators[k].outputs)
    return tuple((graph.tensors[t].name, graph.tensors[t].bytes) for t in sorted(made & read))


class Bench:
    """The jobs of one set."""

    def __init__(self, name: str, cache: Path) -> None:
        self.name, self.cache, self.recipe = name, cache, RECIPES[name]
        data = shrink_data.SETS[name](cache)
        learned, tested = self.recipe.samples, self.recipe.test_samples
        self.data = shrink_data.Data(data.x[:learned], data.y[:learned], data.x_test[:tested], data.y_test[:tested])

    def jobs(self, method: str, seed: int) -> Iterator[Job]:
        """Those of a method, one of `METHODS`, and a seed. Limits get lower while the accuracy stays."""
        if seed >= self.recipe.seeds:
            return
        if method == "split":
            yield Job(self.name, "split", "arena", 1, seed)
        elif method == "ablation":
            for aim, factor in itertools.product(ABLATED_AIMS, self.recipe.ablation):
                yield Job(self.name, "ablation", aim, factor, seed)
        else:
            for factor in self.recipe.both if method == "both" else self.recipe.prune:
                job = Job(self.name, method, "arena", factor, seed)
                yield job
                if self.drop(job) > MOST_DROP:
                    break

    def drop(self, job: Job) -> float:
        """What accuracy the result loses."""
        whole = result_of(Job(self.name, "split", "arena", 1, job.seed))
        return float(whole["accuracy"] - result_of(job)["accuracy"])

    def baseline(self, seed: int) -> Any:
        """The trained network of a seed, from the cache if it is there."""
        path = self.cache / f"{self.name}_{seed}.keras"
        if path.exists():
            return keras.models.load_model(path)
        keras.utils.set_random_seed(seed)
        model = self.known_of_small_pictures() if self.name == "person" else shrink_networks.NETWORKS[self.name]()
        self.fit(model, self.recipe.epochs, self.recipe.learning_rate, [], self.data.x, self.data.y)
        model.save(path)
        return model

    def known_of_small_pictures(self) -> Any:
        """The person network, trained at a lower resolution first, which takes a quarter of the time."""
        small, model = shrink_networks.person(SMALL_SIDE), shrink_networks.person()
        data = shrink_data.person(self.cache, SMALL_SIDE)
        self.fit(small, SMALL_EPOCHS, self.recipe.learning_rate, [], data.x, data.y)
        model.set_weights(small.get_weights())
        return model

    def fit(self, model: Any, epochs: int, rate: float, callbacks: list[Any], x: Any, y: Any) -> None:
        schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(x) // BATCH))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY), loss, metrics=["accuracy"], jit_compile=False
        )
        model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=2, callbacks=callbacks)

    def run(self, job: Job) -> None:
        """Do a job and write its result."""
        began = time.process_time()
        model = self.baseline(job.seed)
        keras.utils.set_random_seed(100 + job.seed)
        study = shrink.study(
            model, max_arena=1 << 30, calibration=self.data.x[:2000], resolution=False, stream_input=True
        )
        limit = int(study.stock.arena / job.factor)
        if job.method == "split":
            result = whole(study)
        else:
            result = self._pruned(model, with_limit(study, limit, job.method), job)
        file = result.pop("file")
        result["accuracy"] = shrink.accuracy_in_tflm(file, self.data.x_test, self.data.y_test)
        if self.name == "digits":
            result["accuracy_on_a_person"] = shrink.accuracy_in_tflm(file, *shrink_data.digits_of_a_person(self.cache))
        result["cpu_s"] = round(time.process_time() - began, 1)
        write(job.path, {**asdict(job), "limit": limit, "test_samples": len(self.data.y_test), **result})

    def _pruned(self, model: Any, study: Study, job: Job) -> dict[str, Any]:
        pruner = study.pruner(aim=job.aim)
        epochs = ABLATION_EPOCHS if job.method == "ablation" else self.recipe.tuning_epochs
        self.fit(
            model, epochs, self.recipe.learning_rate / 2, [pruner], self.data.x, self.data.y
        )  # fmt: skip
        if job.method == "prune":
            return stock(study, pruner.pruning)
        done = pruner.finish()
        return {
            "file": done.original, "cost": done.cost.record(), "fits": done.fits, "stock": study.stock.record(),
            "widths": done.record["widths"], "bit_exact": done.split.report["verified"]["bit_exact"],
        }  # fmt: skip


def whole(study: Study) -> dict[str, Any]:
    """The result of splitting alone."""
    model = study.costs.mapped.model
    result = pipeline.optimize(model.original, replace(study.costs.options, effort=DEFAULT_EFFORT, verify=True))
    widths = {g.name: [len(g.units)] * 2 for g in study.trace.groups}
    return {
        "file": model.original, "cost": cost_of(model, result).record(), "fits": True, "stock": study.stock.record(),
        "widths": widths, "bit_exact": result.report["verified"]["bit_exact"],
    }  # fmt: skip


def stock(study: Study, pruning: Any) -> dict[str, Any]:
    """The result of pruning alone."""
    file = converted(sliced(study.trace, pruning.removed, batch=1), study.calibration)
    cost = stock_cost(read_model(file))
    widths = {g.name: [len(g.units), pruning.widths[g.name]] for g in study.trace.groups}
    return {
        "file": file, "cost": cost.record(), "fits": cost.arena <= pruning.limit, "stock": study.stock.record(),
        "widths": widths, "bit_exact": None,
    }  # fmt: skip


def with_limit(study: Study, limit: int, method: str) -> Study:
    """The study with another limit, and for pruning alone with the costs of stock TFLM."""
    costs: Costs = study.costs
    if method == "prune":
        costs = StockCosts(costs.mapped, costs.options)
    least = removed_units(study.trace, least_widths(study.trace, study.multiple), np.zeros(study.trace.units))
    return replace(
        study, max_arena_bytes=limit, costs=costs, split=study.stock if method == "prune" else study.split,
        least=costs.near(least) if method == "prune" else study.least,
    )  # fmt: skip


def write(path: Path, record: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    new.rename(path)


def result_of(job: Job) -> dict[str, Any]:
    return dict(json.loads(job.path.read_text("utf-8")))


def one_thread() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


def main(say: Callable[[str], object] = lambda text: print(text, flush=True)) -> None:
    parser = argparse.ArgumentParser(description="Train, prune, split and measure networks.")
    parser.add_argument("cache", type=Path, help="the folder of shrink_data.py")
    parser.add_argument("--only", nargs="*", choices=list(RECIPES), default=list(RECIPES), help="sets; default: all")
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=METHODS, help="what is done; default: all")
    parser.add_argument("--seeds", type=int, default=3, help="no more than so many")
    arguments = parser.parse_args()
    one_thread()
    benches = [Bench(name, arguments.cache) for name in arguments.only]
    seeds = range(min(arguments.seeds, max(bench.recipe.seeds for bench in benches)))
    for method, seed, bench in itertools.product(arguments.methods, seeds, benches):
        for job in bench.jobs(method, seed):
            if not job.done():
                bench.run(job)
                result = result_of(job)
                say(f"{job.path.stem}: accuracy {result['accuracy']:.4f}, {result['cost']}, {result['cpu_s']} s")


if __name__ == "__main__":
    main()
