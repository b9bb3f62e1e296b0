"""The same file with tensors of other sizes: shapes, constants and scales changed, all else as it was."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace

import numpy as np

from tflm_split.ir.graph import Model, Tensor
from tflm_split.tflite import schema
from tflm_split.tflite.offline_plan import METADATA_NAME
from tflm_split.tflite.prune import drop_unused_buffers
from tflm_split.tflite.reader import read_model


def with_tensors(model: Model, changed: Mapping[int, Tensor]) -> Model:
    """`model` with these tensors of its main graph in place of those with the same number, as read back from its bytes.

    Of each the shape, the data and the quantisation count; its type stays. A RESHAPE whose output changes asks for the new
    shape. An offline plan is dropped. Raises ModelError where the result is no sound model.
    """
    tree = schema.copied(model.tree)
    main = tree.subgraphs[0]
    for number, tensor in changed.items():
        target = main.tensors[number] = copy(main.tensors[number])
        target.shape = np.array(tensor.shape, np.int32)
        target.shapeSignature = None
        if tensor.data is not None:
            tree.buffers.append(schema.new("BufferT", data=np.frombuffer(tensor.data, np.uint8)))
            target.buffer = len(tree.buffers) - 1
        if tensor.quantization is not None and target.quantization is not None:
            target.quantization = copy(target.quantization)
            target.quantization.scale = np.array(tensor.quantization.scales, np.float32)
            target.quantization.zeroPoint = np.array(tensor.quantization.zero_points, np.int64)
            target.quantization.min = target.quantization.max = None
    for op in main.operators:
        options = op.builtinOptions
        if getattr(options, "newShape", None) is not None and op.outputs[0] in changed:
            op.builtinOptions = copy(options)
            op.builtinOptions.newShape = np.array(changed[op.outputs[0]].shape, np.int32)
    tree.metadata = [entry for entry in tree.metadata or [] if entry.name != METADATA_NAME.encode()]
    drop_unused_buffers(tree)
    data = schema.pack(tree, size_hint_bytes=len(model.original) + 65_536)
    return replace(read_model(data), name=model.name)
