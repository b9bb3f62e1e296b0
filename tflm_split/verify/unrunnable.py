"""Why does TFLM not run this model, and what can its owner do about that?"""

from __future__ import annotations

from collections.abc import Iterator

from tflm_split.ir.graph import ABSENT, Graph, Model, Operator

KNOWN_CUSTOM = frozenset(
    {
        "CIRCULAR_BUFFER", "TFLM_SPLIT", "TFLite_Detection_PostProcess", "SignalDelay", "SignalEnergy", "SignalFftAutoScale",
        "SignalFilterBank", "SignalFilterBankLog", "SignalFilterBankSpectralSubtraction", "SignalFilterBankSquareRoot",
        "SignalFramer", "SignalIrfft", "SignalOverlapAdd", "SignalPCAN", "SignalRfft", "SignalStacker", "SignalWindow",
    }
)  # fmt: skip
"""Custom operators that the pinned wheel has, and ours."""
ETHOS_U = "ethos-u"
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_TO_INT8 = (
    "convert again to int8: `converter.optimizations = [tf.lite.Optimize.DEFAULT]` with a `representative_dataset` and "
    "`target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]`"
)


def surely_unrunnable(model: Model) -> str | None:
    """Why TFLM cannot run `model`, as far as its operators say so; None when nothing speaks against it."""
    kinds = [op.kind for op in all_operators(model)]
    custom = dict.fromkeys(kind.removeprefix("CUSTOM:") for kind in kinds if kind.startswith("CUSTOM:"))
    if ETHOS_U in custom:
        return (
            "it is already compiled for an Ethos-U by Vela, and only that NPU runs its operators; start from the .tflite "
            "that Vela was given"
        )
    unknown = [name for name in custom if name not in KNOWN_CUSTOM]
    if not unknown:
        return None
    flex = [name for name in unknown if name.startswith("Flex")]
    if flex:
        return (
            f"{_listed(flex)} {_are(flex)} TensorFlow's own, which TFLM has not; convert without "
            "`tf.lite.OpsSet.SELECT_TF_OPS`, and replace what then cannot be converted"
        )
    return (
        f"TFLM does not know the custom operator{'s' * (len(unknown) > 1)} {_listed(unknown)}, so nothing can be compared "
        f"here; with --no-verify (verify=False) all other operators are split, and your firmware runs "
        f"{'it' if len(unknown) == 1 else 'them'} as before"
    )


def advice(model: Model, message: str) -> str:
    """What to do about a model that TFLM refused with `message`."""
    operators = list(all_operators(model))
    graphs = (model.graph, *model.other_graphs)
    if any(_is_float16(graph, op) for graph in graphs for op in graph.operators):
        return f"its weights are float16, which TFLM does not take; convert without `supported_types = [tf.float16]`, or {_TO_INT8}"
    if any(_is_hybrid(graph, op) for graph in graphs for op in graph.operators):
        return (
            f"it is quantised for dynamic range: int8 weights, float activations, which TFLM does not run; {_TO_INT8}"
        )
    if any(t.dtype == "INT4" for graph in graphs for t in graph.tensors) and "type" in message.lower():
        return (
            "it has int4 tensors; TFLM takes int4 weights in CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED only: "
            "convert the others with int8"
        )
    convolved = [(g, op) for g in graphs for op in g.operators if op.kind in _WEIGHTED[:2] and op.inputs]
    if any(t >= 0 and g.tensors[t].dtype == "UINT8" for g, op in convolved for t in op.inputs[:1]):
        return "it is quantised to uint8, the scheme of 2018: convert the original float model again, to int8"
    if "Didn't find op for builtin opcode" in message:
        kind = message.split("Didn't find op for builtin opcode", 1)[1].strip(" '\"").split("'")[0].split(";")[0]
        return f"TFLM has no {kind}: build that layer of others, or run it outside of the model"
    if "'INT16'" in message or "INT16" in message.split(";")[0]:
        return "TFLM lacks that operator for int16: convert with int8 activations"
    if any(op.kind in message for op in operators) and "FLOAT32" in message:
        return "TFLM has that operator for float32 only: put it before QUANTIZE or behind DEQUANTIZE, or replace it"
    if model.signature_count > 1:
        return (
            f"it holds {model.signature_count} signatures, and TFLM runs the first subgraph alone: convert the function that "
            "you need by itself, with `tf.lite.TFLiteConverter.from_concrete_functions`"
        )
    return "no option of tflm-split changes that: the model has to run in TFLM first"


def all_operators(model: Model) -> Iterator[Operator]:
    """The operators of all subgraphs."""
    for graph in (model.graph, *model.other_graphs):
        yield from graph.operators


def _is_float16(graph: Graph, op: Operator) -> bool:
    return op.kind == "DEQUANTIZE" and graph.tensors[op.inputs[0]].dtype == "FLOAT16"


def _is_hybrid(graph: Graph, op: Operator) -> bool:
    if op.kind not in _WEIGHTED or ABSENT in op.inputs[:2]:
        return False
    source = graph.tensors[op.inputs[2 if op.kind == "TRANSPOSE_CONV" else 0]]
    return source.dtype == "FLOAT32" and graph.tensors[op.inputs[1]].dtype in ("INT8", "INT4")


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
