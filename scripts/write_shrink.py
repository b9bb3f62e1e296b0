"""Writes the tables of docs/shrink.md, and draws `docs/figures/resolution.svg`, from the results in `models/shrunk/`.

`python scripts/write_shrink.py`; the results are those of `bench_shrink.py` and `bench_resolution.py`. The figure needs matplotlib.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from bench_memory import ROOT, updated

from tflm_split.report.table import markdown_table

RESULTS, PAGE = ROOT / "models" / "shrunk", ROOT / "docs" / "shrink.md"
FIGURE = ROOT / "docs" / "figures" / "resolution.svg"
SETS = {"watch": "smartwatch, over time", "digits": "spoken digits, DS-CNN", "fashion": "clothes, ResNet-8",
        "person": "people, MobileNetV1 0.25"}  # fmt: skip
MOST_DROP = 0.005
"""Networks count as equally accurate if they lose no more than this of the baseline's accuracy, on average over seeds."""
METHODS = {"split": "split only", "prune": "prune only", "both": "both"}
SETTINGS = {"svg.hashsalt": "resolution", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}

Record = Mapping[str, Any]
Key = tuple[str, str, str, float]
"""Set, method, aim and factor."""


def results() -> dict[Key, list[Record]]:
    """The results of all seeds, of each network."""
    found: dict[Key, list[Record]] = defaultdict(list)
    for path in sorted(RESULTS.glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        if record["method"] in METHODS or record["method"] == "ablation":
            found[record["data"], record["method"], record["aim"], record["factor"]].append(record)
    return found


class Row:
    """A network of all seeds, against the baseline of the same seeds."""

    def __init__(self, records: Sequence[Record], wholes: Sequence[Record]) -> None:
        whole_of = {record["seed"]: record for record in wholes}
        self.records = [record for record in records if record["seed"] in whole_of]
        self.whole_accuracies = [whole_of[record["seed"]]["accuracy"] for record in self.records]
        self.accuracies = [record["accuracy"] for record in self.records]
        self.drop = mean(w - a for w, a in zip(self.whole_accuracies, self.accuracies, strict=True))

    def most(self, what: str) -> int:
        """Of all seeds, the largest."""
        return int(max(record["cost"][what] or 0 for record in self.records))

    @property
    def stock_arena(self) -> int:
        return int(self.records[0]["stock"]["arena"])

    def accuracy(self) -> str:
        if len(self.accuracies) == 1:
            return f"{self.accuracies[0]:.1%}"
        return f"{mean(self.accuracies):.1%} ({min(self.accuracies):.1%} to {max(self.accuracies):.1%})"


def rows(found: Mapping[Key, list[Record]]) -> dict[Key, Row]:
    return {key: Row(records, found[key[0], "split", "arena", 1]) for key, records in found.items()}


def best(of: Mapping[Key, Row], data: str, method: str) -> Row | None:
    """The smallest network of a method that is as accurate as the whole one; the most accurate one if none is."""
    all_of = [row for (d, m, aim, _), row in of.items() if (d, m, aim) == (data, method, "arena")]
    equal = [row for row in all_of if row.drop <= MOST_DROP]
    if equal:
        return min(equal, key=lambda row: row.most("arena"))
    return min(all_of, key=lambda row: row.drop) if all_of else None


def table(of: Mapping[Key, Row]) -> str:
    lines = []
    for data, title in SETS.items():
        for method, name in METHODS.items():
            row = best(of, data, method)
            if row is None:
                continue
            if method == "split":
                stock = row.records[0]["stock"]
                lines.append(
                    (
                        title,
                        "stock TFLM",
                        f"{stock['arena']:,}",
                        "1",
                        f"{stock['head']:,}",
                        "",
                        f"{stock['flash']:,}",
                        row.accuracy(),
                        "",
                    )
                )
            lines.append(
                (
                    "", name, f"{row.most('arena'):,}", f"{row.stock_arena / row.most('arena'):.1f}", f"{row.most('head'):,}",
                    f"{row.most('instructions') / 1e6:.2f} M" if row.most("instructions") else "", f"{row.most('flash'):,}",
                    row.accuracy(), "" if method == "split" else f"{100 * row.drop:+.1f}",
                )
            )  # fmt: skip
    heads = ("network", "", "arena", "times below stock", "head", "instructions", "flash", "accuracy", "points lost")
    return markdown_table(heads, lines)


def widths_table(of: Mapping[Key, Row]) -> str:
    lines = []
    for data, title in SETS.items():
        for method in ("split", "prune", "both"):
            row = best(of, data, method)
            if row is not None:
                kept = (str(now) for _, now in row.records[0]["widths"].values())
                lines.append(
                    (
                        title if method == "split" else "",
                        "whole" if method == "split" else METHODS[method],
                        " ".join(kept),
                    )
                )
    return markdown_table(("network", "", "channels of each group"), lines)


def ablation_table(of: Mapping[Key, Row]) -> str:
    """The same limit, with other aims."""
    lines = []
    for data, title in SETS.items():
        aims = [(aim, row) for (d, method, aim, _), row in of.items() if (d, method) == (data, "ablation")]
        for k, (aim, row) in enumerate(aims if len(aims) > 1 else ()):
            lines.append(("" if k else title, aim, *_ablated(row)))
    heads = ("network", "aim", "limit", "arena", "MACs", "weights", "accuracy", "points lost")
    return markdown_table(heads, lines)


def _ablated(row: Row) -> Iterator[str]:
    yield f"{row.records[0]['limit']:,}"
    yield f"{row.most('arena'):,}"
    yield f"{row.most('macs'):,}"
    yield f"{row.most('weights'):,}"
    yield row.accuracy()
    yield f"{100 * row.drop:+.1f}"


def resolutions() -> list[Record]:
    found = (json.loads(path.read_text("utf-8")) for path in RESULTS.glob("person_resolution_*.json"))
    return sorted(found, key=lambda record: int(record["side"]))


def resolution_table(found: Sequence[Record]) -> str:
    """Without accuracies where no network was trained."""
    trained = any(r["accuracy"] is not None for r in found)
    lines = [
        [f"{r['side']} x {r['side']}", *(f"{r[k]['arena']:,}" for k in ("stock", "split", "streamed"))]
        + (["" if r["accuracy"] is None else f"{r['accuracy']:.1%}"] if trained else [])
        for r in found
    ]
    heads = ["input", "arena in TFLM", "split", "split, input streamed", *(["accuracy"] if trained else [])]
    return markdown_table(heads, lines)


def draw(found: Sequence[Record]) -> str:
    """The SVG of accuracy against arena: one curve for stock TFLM, one for the split network."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        picture = Figure(figsize=(8, 4.2), layout="constrained")
        axes = picture.subplots()
        for kind, label, colour in (
            ("stock", "stock TFLM", "#d1495b"),
            ("streamed", "split, input streamed", "#1f77b4"),
        ):
            xs, ys = [r[kind]["arena"] / 1000 for r in found], [100 * r["accuracy"] for r in found]
            axes.plot(xs, ys, "o-", color=colour, label=label, linewidth=1.4, markersize=4)
            for r, x, y in zip(found, xs, ys, strict=True):
                axes.annotate(
                    str(r["side"]), (x, y), xytext=(4, -11), textcoords="offset points", fontsize=8, color=colour
                )
        fixed = next((r["stock"]["arena"] for r in found if r["side"] == 96), None)
        if fixed is not None:
            axes.axvline(fixed / 1000, color="#555f6b", linewidth=0.8, linestyle="--")
        axes.set_xscale("log")
        axes.set_title("Accuracy of the person network by the arena, at 48 x 48 to 160 x 160", loc="left")
        axes.set_xlabel("arena, 1000 bytes")
        axes.set_ylabel("accuracy in TFLM, %")
        axes.grid(color="#e6e8eb")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right", fontsize=9)
        target = io.StringIO()
        picture.savefig(target, format="svg", metadata={"Date": None})
        return target.getvalue()


def tables() -> dict[str, str]:
    of = rows(results())
    return {
        "shrunk": table(of), "shrunk-widths": widths_table(of), "shrunk-ablation": ablation_table(of),
        "shrunk-resolution": resolution_table(resolutions()),
    }  # fmt: skip


def page() -> str:
    """docs/shrink.md with the tables of the results."""
    return updated(PAGE.read_text("utf-8"), tables())


def main() -> None:
    PAGE.write_text(page(), "utf-8")
    trained = [record for record in resolutions() if record["accuracy"] is not None]
    if trained:
        FIGURE.write_text(draw(trained), "utf-8")


if __name__ == "__main__":
    main()
