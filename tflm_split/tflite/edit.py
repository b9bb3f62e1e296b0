"""What should change in a file's main graph? An `Edit` says it, and `writer.write_model` carries it out.

Tensor indices count the original tensors first, then `Edit.new_tensors`. The writer renumbers them at the very end, so
nobody else has to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tflm_split.ir.graph import Quantization


@dataclass(frozen=True, slots=True)
class KeptOperator:
    """Operator `position` of the original main graph. `inputs` and `outputs`, where given, replace its tensors."""

    position: int
    inputs: tuple[int, ...] | None = None
    outputs: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class CustomOperator:
    """A new custom operator. TFLM hands `custom_options` to its `init` in place, 16-byte aligned."""

    custom_code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom_options: bytes = field(default=b"", repr=False)


NewOperator = KeptOperator | CustomOperator


@dataclass(frozen=True, slots=True)
class NewTensor:
    """A tensor to add: a constant if it has `data`, otherwise an activation."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: bytes | None = field(default=None, repr=False)
    quantization: Quantization | None = None


@dataclass(frozen=True, slots=True)
class Interface:
    """The graph's new inputs and outputs, one for each old one, in the old order. Signatures change with them."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """The main graph as it should be written. A field at its default changes nothing, but for `drop_unused_tensors`.

    `drop_unused_tensors` removes every tensor that no operator, interface or signature names any more, and with them
    unused buffers and operator codes. (An unused tensor costs 12 bytes of arena on Arm; one without data its whole size.)

    `offsets`: tensor -> byte offset in the arena's head, in place of the file's offline plan. TFLM places the tensors that
    are left out. With None the file's plan stays, if operators and tensors do.

    `constants`: tensor -> its bytes. An activation becomes a constant. `shown`: tensors that the graph gives out besides
    its outputs. `emptied`: other subgraphs that lose their operators and tensors, unless a
    signature names them.
    """

    operators: tuple[NewOperator, ...] | None = None
    new_tensors: tuple[NewTensor, ...] = ()
    interface: Interface | None = None
    offsets: Mapping[int, int] | None = None
    constants: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    shown: tuple[int, ...] = ()
    emptied: frozenset[int] = frozenset()
    drop_unused_tensors: bool = True
