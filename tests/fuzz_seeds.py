"""What do the fuzzers start from? Small files of every kind: random networks, control flow, state, split models."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from random import Random

from made_once import made_once
from random_networks import Network
from sample_programs import in_two_memories, one_op, remembering, small_network, unchecked, with_moves
from samples import one_op_program, rows_of_calls
from streaming_networks import NETWORKS as STREAMING_NETWORKS
from test_runtime_refusals import every_op
from test_typed_refusals import typed_program
from tflite_helpers import CORPUS, ROOT, chain_bytes

import tflm_split
from tflm_split.errors import TflmSplitError
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import MOVE_ALIGN
from tflm_split.program.checksum import without_checksum
from tflm_split.program.decode import decode
from tflm_split.program.in_model import programs_of
from tflm_split.program.types import Move, Op, Program, Storage, View
from tflm_split.tflite.reader import read_model

MAX_SEED_BYTES = 40_000
"""Larger files cost more time per mutation and hold nothing else."""
NETWORKS = 24
MOVING = 24
"""How many programs come a second time, with moves."""
MOVES = 8
"""How many moves such a program has."""
STREAMED = 24
"""How many networks come a second time, with a streamed input, and a third time, with a streamed output, too."""


class _Drawn(Network):
    """A random network whose choices come from a plain random generator, not from hypothesis."""

    def __init__(self, shape: tuple[int, ...], random: Random) -> None:
        super().__init__(shape, seed=random.randrange(1 << 16))
        self._random = random

    def choose(self, *choices):
        return self._random.choice(choices)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


def drawn_network(random: Random) -> bytes:
    """A network of up to nine random operators."""
    network = _Drawn((1, random.choice((1, 5, 8)), random.randint(1, 6), random.choice((1, 2, 3, 4))), random)
    for _ in range(random.randint(2, 9)):
        network.grow()
    if not network.operators:
        network.unary("RELU", network.input)
    read = {t for op in network.operators for t in op.inputs}
    outputs = [t for op in network.operators for t in op.outputs if t not in read]
    return network.finish(*outputs)


@cache
def model_seeds() -> tuple[bytes, ...]:
    """Small models, in a fixed order; those of the corpus only where there is one."""
    random = Random(0)
    networks = [drawn_network(random) for _ in range(NETWORKS)]
    folders = (ROOT / "models", CORPUS / "models", CORPUS / "odd")
    paths = [path for folder in folders for path in sorted(folder.glob("*.tflite"))]
    files = [path.read_bytes() for path in paths if path.stat().st_size <= MAX_SEED_BYTES]
    return (chain_bytes(), *networks, *(_split(network) for network in networks[:6]), *files)


def _split(model: bytes, stream_input: int = 0, stream_output: int = 0) -> bytes:
    """The model as the tool writes it: split, or unchanged when splitting gains nothing or it cannot be streamed."""
    try:
        return tflm_split.optimize(
            model, verify=False, effort=0, stream_input=stream_input, stream_output=stream_output
        ).model
    except TflmSplitError:
        return model


@cache
def program_seeds() -> tuple[bytes, ...]:
    """Encoded programs: one of every kind of op, one that streams, and those of random networks and of `models/`."""
    made = made_once("program_seeds", lambda path: path.write_bytes(pickle.dumps(_program_seeds())))
    seeds: tuple[bytes, ...] = pickle.loads(made.read_bytes())
    return seeds


def _program_seeds() -> tuple[bytes, ...]:
    random = Random(1)
    models = [drawn_network(random) for _ in range(60)]
    models += [path.read_bytes() for path in sorted((ROOT / "models").glob("*.tflite"))]
    models += [make() for make in STREAMING_NETWORKS.values()]
    by_hand = [every_op(), small_network(), remembering(), tall_program()]
    by_hand += [in_two_memories(small_network(), range(first, 6, 2)) for first in (0, 1)]
    by_hand += [typed_program(dtype) for dtype in ("INT16", "FLOAT32")]
    for kind in OpKind:
        by_hand += [one_op_program(kind), moving(one_op_program(kind, 1), random)]
    found = [unchecked(program) for program in (*by_hand, with_moves(small_network()))]
    for model in models:
        found += programs_of(read_model(_split(model))).values()
    for rows, model in enumerate(models[:STREAMED], 1):
        for given in (0, 1 + rows % 2):
            streamed = _split(model, stream_input=1 + rows % 3, stream_output=given)
            found += programs_of(read_model(streamed)).values()
    found = list(dict.fromkeys(map(without_checksum, found)))
    still = [program for program in map(decode, found) if not program.moves]
    of_calls = [program for program in still[MOVING:] if len(program.calls) > 1]
    return (*found, *(unchecked(moving(program, random)) for program in (*still[:MOVING], *of_calls)))


def tall_program() -> Program:
    """A table on a map of more rows than a narrow step can name."""
    rows, table = 300, bytes(range(256))
    storage = Storage(4, rows, tuple(4 * (row % 7) for row in range(rows)))
    view = View(0, 0, rows, 2, 2, 2)
    op = Op(OpKind.LUT, 0, 0, {"table_offset": 0})
    return one_op(op, (view,), (storage,), workspace_bytes=32, constants=(table,))


def moving(program: Program, random: Random) -> Program:
    """The program with random moves of random rows. It computes something else, in the same memory."""
    fixed = rows_of_calls(program)
    movable = [(s, x) for s, x in enumerate(program.storages) if s not in fixed]
    end = program.workspace_bytes  # rows of a state do not move
    rows = [(s, r, a) for s, x in movable for r, a in enumerate(x.addresses) if a is not None and a < end]
    moves = {}
    for _ in range(MOVES):
        s, r, first = random.choice(rows)
        highest = program.workspace_bytes - program.storages[s].row_bytes
        step = random.randrange(len(program.steps))
        moves[step, s, r] = Move(step, s, r, random.randrange(first % MOVE_ALIGN, highest + 1, MOVE_ALIGN))
    return replace(program, moves=tuple(sorted(moves.values(), key=lambda move: move.step)))
