"""A result for Model Explorer (PyPI `ai-edge-model-explorer`): a value for each node of the original model's graph.

Each file holds one kind of value in the form of its `GraphNodeData`. A node is called by its operator's position in the file, as
Model Explorer's own reader of `.tflite` calls it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tflm_split.report.view import OperatorView, View

Value = int | str | None
_GRADIENT = [{"stop": 0, "bgColor": "#e8f1fb"}, {"stop": 1, "bgColor": "#e07b39"}]

KINDS: Mapping[str, tuple[str, Callable[[OperatorView], Value]]] = {
    "live_bytes": ("live bytes, whole", lambda op: op["live_bytes"]),
    "split_live_bytes": ("live bytes, split", lambda op: op["split_live_bytes"]),
    "instructions": ("predicted instructions", lambda op: op["instructions"]),
    "region": ("region", lambda op: "stock" if op["region"] is None else f"region {op['region']}"),
    "refusal": ("why it stays stock", lambda op: f"{op['reason']}: {op['advice']}" if op["reason"] else None),
}
"""File's ending -> (title, the value of an operator; None leaves it out). An operator made of several has the same for each."""


def node_data(view: View) -> dict[str, str]:
    """File's ending -> its JSON. Kinds of which no operator has a value are left out."""
    files: dict[str, str] = {}
    for ending, (title, value_of) in KINDS.items():
        results = {
            str(position): {"value": value}
            for op in view.operators
            if (value := value_of(op)) is not None
            for position in op["source"]
        }
        if results:
            data: dict[str, Any] = {"name": title, "results": results}
            if all(isinstance(result["value"], int) for result in results.values()):
                data["gradient"] = _GRADIENT
            files[ending] = json.dumps(data, indent=1) + "\n"
    return files
