"""Does the simulation of TFLM's memory planner put every buffer where TFLM puts it?"""

import csv
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_helpers import CORPUS, ROOT, needs_corpus
from tiny_models import Builder

from tflm_split.analysis.scratch import scratch_bytes
from tflm_split.analysis.tflm_head import predicted_head_bytes, unknown_scratch
from tflm_split.analysis.tflm_planner import (
    HeadBuffer,
    head_buffers,
    place,
    planned_head,
    rounded,
    scratch_room_bytes,
)
from tflm_split.errors import ModelError
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.options import Options
from tflm_split.pipeline import optimize
from tflm_split.tflite.edit import Edit
from tflm_split.tflite.offline_plan import ONLINE
from tflm_split.tflite.reader import read_model
from tflm_split.tflite.writer import write_model
from tflm_split.verify.tflm import run_in_tflm

# ---- the greedy planner --------------------------------------------------------------------------------------------


def buffer(nbytes, first, last, offset=ONLINE):
    return HeadBuffer(nbytes, first, last, offset, None)


def offsets(*buffers):
    return tuple(b.offset for b in place(buffers))


def test_the_largest_buffer_goes_first_and_others_on_top_of_it():
    assert offsets(buffer(16, 0, 1), buffer(64, 0, 1), buffer(32, 1, 2)) == (96, 0, 64)


def test_of_equal_buffers_the_last_entered_goes_first():
    assert offsets(buffer(16, 0, 0), buffer(16, 0, 0), buffer(16, 0, 0)) == (32, 16, 0)


def test_buffers_that_never_meet_share_their_place():
    assert offsets(buffer(64, 0, 1), buffer(32, 2, 3)) == (0, 0)


def test_lives_that_touch_at_one_operator_meet():
    assert offsets(buffer(64, 0, 1), buffer(32, 1, 2)) == (0, 64)


def test_a_buffer_takes_the_lowest_gap_that_fits():
    # a and c are both alive with d, b is not: d falls into the hole b leaves.
    a, b, c = buffer(64, 0, 9), buffer(48, 0, 3), buffer(32, 3, 9)
    d = buffer(16, 5, 5)
    assert offsets(a, b, c) == (0, 64, 112)
    assert offsets(a, b, c, d) == (0, 64, 112, 64)


def test_offline_buffers_are_never_moved_even_where_they_overlap():
    assert offsets(buffer(64, 0, 9, 16), buffer(64, 0, 9, 32), buffer(64, 0, 9, 0)) == (16, 32, 0)


def test_online_buffers_go_around_offline_ones_of_their_time():
    assert offsets(buffer(32, 0, 1, 32), buffer(32, 1, 1)) == (32, 0)
    assert offsets(buffer(32, 0, 1, 16), buffer(32, 1, 1)) == (16, 48)
    assert offsets(buffer(32, 0, 1, 16), buffer(32, 2, 2)) == (16, 0)


def test_an_unaligned_offline_offset_makes_what_follows_unaligned():
    assert offsets(buffer(16, 0, 0, 5), buffer(16, 0, 0)) == (5, 21)


@st.composite
def buffer_lists(draw):
    def one(k):
        first = draw(st.integers(0, 6))
        offset = draw(st.one_of(st.just(ONLINE), st.integers(0, 12).map(lambda n: 8 * n)))
        return buffer(16 * draw(st.integers(1, 4)), first, first + draw(st.integers(0, 4)), offset)

    return [one(k) for k in range(draw(st.integers(1, 12)))]


@given(buffer_lists())
@settings(deadline=None, max_examples=150)
def test_each_online_buffer_lies_at_the_lowest_offset_free_when_its_turn_comes(buffers):
    placed = place(buffers)
    done = [placed[k] for k, b in enumerate(buffers) if b.offset != ONLINE]
    turns = [k for k in reversed(range(len(buffers))) if buffers[k].offset == ONLINE]
    for k in sorted(turns, key=lambda k: -buffers[k].bytes):
        wanted = placed[k]
        met = [b for b in done if b.first <= wanted.last and wanted.first <= b.last]
        free = [
            offset
            for offset in (0, *(b.offset + b.bytes for b in met))
            if all(offset + wanted.bytes <= b.offset or b.offset + b.bytes <= offset for b in met)
        ]
        assert wanted.offset == min(free)
        done.append(wanted)


# ---- what is planned, and when it lives ----------------------------------------------------------------------------


def no_scratch(graph, op):
    return ()


def tensor(index, nbytes, **fields):
    return Tensor(index, f"t{index}", (nbytes,), fields.pop("dtype", "INT8"), **fields)


def chain(*more, operators=None, inputs=(0,), outputs=(3,)):
    """t0 -A-> t1 -B-> t2 -C-> t3, of 10, 20, 30 and 40 bytes, and the tensors `more`."""
    tensors = (tensor(0, 10), tensor(1, 20), tensor(2, 30), tensor(3, 40), *more)
    ops = operators or [("A", (0,), (1,)), ("B", (1,), (2,)), ("C", (2,), (3,))]
    return Graph("g", tensors, tuple(Operator(k, *op) for k, op in enumerate(ops)), inputs, outputs).checked()


def lives(graph, plan=None, scratch=no_scratch, others=()):
    found = head_buffers((graph, *others), plan or {}, scratch)
    return [(b.tensor, b.bytes, b.first, b.last) for b in found]


def test_a_tensor_lives_from_its_producer_to_its_last_consumer_and_is_rounded():
    assert lives(chain()) == [(0, 16, 0, 1), (1, 32, 1, 2), (2, 32, 2, 3), (3, 48, 3, 3)]


def test_an_output_lives_to_the_end():
    assert lives(chain(outputs=(1, 3)))[1] == (1, 32, 1, 3)


def test_a_tensor_that_nobody_names_is_planned_too():
    graph = chain(tensor(4, 100))
    assert lives(graph)[4] == (4, 112, -1, -1)
    assert planned_head(graph, scratch=no_scratch) == 112


def test_constants_and_empty_tensors_are_not_planned():
    assert len(lives(chain(tensor(4, 3, data=b"abc"), tensor(5, 0)), {4: 1000, 5: 1000})) == 4


def test_a_variable_lies_in_the_tail_unless_the_plan_gives_it_an_offset():
    ops = [("A", (0, 4), (1,)), ("B", (1,), (2,)), ("C", (2,), (3,))]
    graph = chain(tensor(4, 5, is_variable=True), operators=ops)
    assert len(lives(graph)) == 4
    assert lives(graph, {4: 64})[4] == (4, 16, -1, 1)


def test_a_resource_handle_is_planned_unless_var_handle_makes_it():
    handle = Tensor(4, "handle", (), "RESOURCE")
    read = [("VAR_HANDLE", (), (4,)), ("A", (0, 4), (1,)), ("B", (1,), (2,)), ("C", (2,), (3,))]
    assert len(lives(chain(handle, operators=read))) == 4
    assert lives(chain(handle, inputs=(0, 4)))[4] == (4, 16, 0, 0)


def test_scratch_is_entered_after_all_tensors_and_lives_for_its_operator():
    def scratch(graph, op):
        return (5, 17) if op.kind == "B" else ()

    assert lives(chain(), scratch=scratch)[4:] == [(None, 16, 2, 2), (None, 32, 2, 2)]
    assert planned_head(chain(), scratch=scratch) == 64 + 48


def test_the_head_is_the_offline_plans_end():
    plan = {0: 0, 1: 16, 2: 48, 3: 0}
    assert planned_head(chain(), plan, no_scratch) == 80
    assert planned_head(chain(), {t: o + 5 for t, o in plan.items()}, no_scratch) == 85
    assert planned_head(Graph("empty", (), (), (), ())) == 0


def test_tensors_the_plan_leaves_out_are_placed_around_it():
    # t1 is alive at A and B, together with t0 and t2; TFLM finds the room between them.
    assert planned_head(chain(), {0: 0, 2: 48, 3: 0, 1: ONLINE}, no_scratch) == 80
    assert planned_head(chain(), {0: 0, 2: 32, 3: 0}, no_scratch) == 96


def test_scratch_with_its_room_kept_free_does_not_raise_the_head():
    def scratch(graph, op):
        return (40, 17, 3) if op.kind == "B" else ()

    room = scratch_room_bytes(chain(), chain().operators[1], scratch)
    assert room == 48 + 32 + 16
    plan = {0: 0, 1: room, 2: room + 32, 3: 0}
    assert planned_head(chain(), plan, scratch) == room + 64


def test_a_called_subgraph_takes_its_own_moments():
    called = Graph("f", (tensor(0, 50), tensor(1, 60)), (Operator(0, "D", (0,), (1,)),), (0,), (1,))
    once = {"init_subgraph_index": 1}
    main = chain(operators=[("A", (0,), (1,)), ("CALL_ONCE", (), (), once), ("C", (1,), (2,)), ("D", (2,), (3,))])
    assert lives(main, others=[called], scratch=lambda graph, op: (4,) if op.kind == "CALL_ONCE" else ()) == [
        (0, 16, 0, 1), (1, 32, 1, 5), (2, 32, 5, 6), (3, 48, 6, 6), (4, 64, 3, 4), (5, 64, 4, 4), (None, 16, 2, 4),
    ]  # fmt: skip


@pytest.mark.parametrize(("index", "sentence"), [(0, "subgraph 0 calls itself"), (7, "calls subgraph 7")])
def test_a_call_without_an_end_or_a_target_is_refused(index, sentence):
    options = {"init_subgraph_index": index}
    main = chain(operators=[("CALL_ONCE", (), (), options), ("A", (0,), (1,)), ("B", (1,), (2,)), ("C", (2,), (3,))])
    with pytest.raises(ModelError, match=sentence):
        planned_head(main)


# ---- against TFLM itself -------------------------------------------------------------------------------------------


def small_network(seed):
    """Branches of different sizes, and a MEAN, which asks for scratch."""
    b = Builder((1, 12, 12, 3), seed=seed)
    stem = b.conv(b.input, 5 + seed, stride=2)
    wide, narrow = b.conv(stem, 11), b.conv(b.conv(stem, 3), 11)
    joined = b.add(wide, narrow)
    return b.finish(b.softmax(b.dense(b.mean(joined), 4)), b.pool(joined, 2, 2, 2))


@pytest.mark.parametrize("seed", range(4))
def test_tflm_reports_the_head_we_predict_whatever_the_plan(seed):
    data = small_network(seed)
    model = read_model(data)
    assert run_in_tflm(data, []).head_bytes == predicted_head_bytes(model)
    rng = random.Random(seed)
    activations = [t.index for t in model.graph.tensors if not t.is_constant]
    # Nonsense plans on purpose, full and partial: TFLM checks nothing, and the head must still be the one predicted.
    plan = {t: 4 * rng.randrange(300) for t in activations if rng.random() < 0.6}
    planned = write_model(model, Edit(offsets=plan)).original
    assert run_in_tflm(planned, []).head_bytes == predicted_head_bytes(read_model(planned))
    assert predicted_head_bytes(read_model(planned)) == planned_head(model.graph, plan, scratch_bytes)


@pytest.mark.parametrize("name", ["digits_dscnn", "digits_resnet8", "digits_autoencoder"])
def test_the_head_of_a_split_model_is_the_one_its_plan_says(name):
    result = optimize((ROOT / "models" / f"{name}.tflite").read_bytes(), Options(verify=False, effort=2))
    head = predicted_head_bytes(read_model(result.model))
    assert run_in_tflm(result.model, []).head_bytes == head
    assert result.plan is None or result.plan.planned_head_bytes == head


@needs_corpus
def test_the_head_of_every_model_of_the_corpus_is_the_measured_one():
    with open(CORPUS / "anchors.tsv") as file:
        measured = {r["name"]: int(r["tflm_head_bytes"] or 0) for r in csv.DictReader(file, delimiter="\t")}
    assert measured.pop("coral_mbv1_025_128_u8") == 0, "uint8: TFLM does not run it"
    models = {name: read_model(CORPUS / "models" / f"{name}.tflite") for name in measured}
    assert {name: predicted_head_bytes(model) for name, model in models.items()} == measured
    assert {kind for model in models.values() for kind in unknown_scratch(model)} == set()


@needs_corpus
@pytest.mark.parametrize(
    ("name", "subgraphs"),
    [
        ("lr_call_once_mul", 2),
        ("lr_multi_signatures", 2),
        ("lr_multi_subgraphs_while", 3),
        ("lr_nested_while", 5),
        ("lr_resource_vars", 2),
        ("mlonmcu_multi_scratch", 1),
        ("mlonmcu_detpost", 1),
    ],
)
def test_odd_models_with_subgraphs_resources_and_scratch_too(name, subgraphs):
    model = read_model(CORPUS / "odd" / f"{name}.tflite")
    assert model.subgraph_count == subgraphs
    assert unknown_scratch(model) == ()
    assert run_in_tflm(model.original, []).head_bytes == predicted_head_bytes(model)


def test_sizes_are_rounded_to_what_tflm_aligns_to():
    assert [rounded(n) for n in (0, 1, 16, 17)] == [0, 16, 16, 32]
