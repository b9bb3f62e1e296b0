"""What survives a round trip, what an edit changes, and what TFLM says to the result."""

import io
import zipfile

import numpy as np
import pytest
from tflite_helpers import (
    CORPUS,
    buffer,
    chain_bytes,
    code,
    corpus_files,
    ints,
    needs_corpus,
    operator,
    plain,
    run_in_tflm,
    signature,
    tree_of,
)

from tflm_split.errors import InputError, InternalError, ModelError
from tflm_split.ir.graph import Quantization
from tflm_split.tflite import offline_plan, schema
from tflm_split.tflite.edit import CustomOperator, Edit, Interface, KeptOperator, NewTensor
from tflm_split.tflite.reader import offline_offsets, read_model
from tflm_split.tflite.writer import unaligned_vectors, write_model

REFUSED_BY_TFLM = {"coral_mbv1_025_128_u8"}
"""Models of the corpus with uint8 convolutions, which TFLM has no kernel for."""
KEEP_ALL = Edit(drop_unused_tensors=False)


def file_of(model, edit):
    return write_model(model, edit).original


def round_trip(model):
    """Write the model's file again without changes: the same object tree, and every buffer 16-byte aligned."""
    return file_of(model, Edit(drop_unused_tensors=False))


def written(edit, change=lambda tree: None):
    """The chain model, changed, edited, written and unpacked again."""
    return schema.unpack(file_of(read_model(chain_bytes(change)), edit))


def names(tree, subgraph=0):
    return [tensor.name.decode() for tensor in tree.subgraphs[subgraph].tensors]


def add_plan(tree):
    """An offline plan for the chain, in the middle of the metadata."""
    tree.buffers.append(buffer(offline_plan.pack([0, -1, 16, -1, 32])))
    tree.metadata.insert(0, schema.new("MetadataT", name=b"OfflineMemoryAllocation", buffer=len(tree.buffers) - 1))


class TestRoundTrip:
    @needs_corpus
    @pytest.mark.parametrize("path", corpus_files("models") + corpus_files("odd"))
    def test_every_file_keeps_its_whole_object_tree(self, path):
        try:
            model = read_model(path)
        except InputError:
            pytest.skip("refused by the reader")
        data = round_trip(model)
        assert tree_of(data) == tree_of(model.original)
        assert unaligned_vectors(read_model(data)) == []
        assert data[4:8] == b"TFL3"
        assert round_trip(read_model(data)) == data

    @needs_corpus
    @pytest.mark.parametrize("path", corpus_files("models"))
    def test_tflm_computes_the_same_in_the_same_arena(self, path, tmp_path):
        """Written again, it has the same outputs and arena. Without unused tensors, its arena is no larger."""
        model = read_model(path)
        original, rewritten, pruned = run_in_tflm(
            model, tmp_path, model.original, round_trip(model), file_of(model, Edit())
        )
        assert rewritten == original
        if path.stem in REFUSED_BY_TFLM:
            assert pruned == original == {"error": "TFLM failed to allocate tensors"}
            return
        assert pruned["outputs"] == original["outputs"]
        assert pruned["head"] <= original["head"] and pruned["tail"] <= original["tail"]

    def test_the_same_model_gives_the_same_bytes(self):
        assert round_trip(read_model(chain_bytes())) == round_trip(read_model(chain_bytes()))

    def test_a_plan_stays_where_nothing_changes(self):
        assert offline_offsets(read_model(round_trip(read_model(chain_bytes(add_plan))))) == (0, -1, 16, -1, 32)

    def test_buffers_and_custom_options_are_16_byte_aligned_in_the_file(self):
        def change(tree):
            tree.operatorCodes[1] = code("CUSTOM", b"X")
            tree.subgraphs[0].operators[0].customOptions = np.frombuffer(b"odd", np.uint8)
            tree.buffers += [buffer(bytes(n)) for n in range(1, 40)]

        model = read_model(chain_bytes(change))
        data = round_trip(model)
        tree = schema.root(data)
        start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
        vectors = [tree.Buffers(i).DataAsNumpy() for i in range(1, tree.BuffersLength())]
        vectors.append(tree.Subgraphs(0).Operators(0).CustomOptionsAsNumpy())
        assert len(vectors) == 43
        assert [(v.__array_interface__["data"][0] - start) % 16 for v in vectors] == [0] * 43

    def test_the_alignment_checker_sees_an_unaligned_buffer(self):
        builder = schema._aligned_builder(64)
        plain_builder = type(builder).__mro__[1](64)
        plain_builder.Finish(schema.unpack(chain_bytes()).Pack(plain_builder), b"TFL3")
        assert unaligned_vectors(read_model(bytes(plain_builder.Output()))) != []

    @needs_corpus
    @pytest.mark.parametrize("name", ["coral_mbv1_025_128_u8", "coral_tf2_mbv2_100_224_ptq"])
    def test_an_appended_label_archive_survives(self, name):
        model = read_model(CORPUS / "models" / f"{name}.tflite")

        def members(data):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                assert archive.testzip() is None
                return {i.filename: (archive.read(i), i.date_time, i.compress_type) for i in archive.infolist()}

        data = round_trip(model)
        assert members(data) == members(model.original) != {}

    def test_an_appended_archive_that_is_damaged_is_refused(self):
        carrier = io.BytesIO(chain_bytes())
        with zipfile.ZipFile(carrier, "a") as archive:
            archive.writestr("labels.txt", "cat\ndog\n")
        data = bytearray(carrier.getvalue())
        data[data.index(b"cat")] ^= 1
        with pytest.raises(ModelError, match="zip archive"):
            round_trip(read_model(bytes(data)))

    def test_an_archive_inside_a_buffer_is_not_appended_again(self):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.writestr("labels.txt", "cat\ndog\n")
        model = read_model(chain_bytes(lambda tree: tree.buffers.append(buffer(inner.getvalue()))))
        assert round_trip(model) == model.original


class TestDropping:
    def test_tensors_nobody_names_go_and_everything_is_renumbered(self):
        tree = written(Edit())
        main = tree.subgraphs[0]
        assert names(tree) == ["x", "a", "y"]
        assert [(op.inputs.tolist(), op.outputs.tolist()) for op in main.operators] == [([0], [1]), ([1], [2])]
        assert (main.inputs.tolist(), main.outputs.tolist()) == ([0], [2])

    def test_signatures_follow_the_numbers(self):
        (found,) = written(Edit()).signatureDefs
        assert [(e.name, e.tensorIndex) for e in found.inputs + found.outputs] == [(b"in", 0), (b"out", 2)]

    def test_a_tensor_only_a_signature_names_stays(self):
        def change(tree):
            tree.signatureDefs.append(signature("debug", {}, {"constant": 3}))

        tree = written(Edit(), change)
        assert names(tree) == ["x", "a", "constant", "y"]
        assert [e.tensorIndex for s in tree.signatureDefs for e in s.outputs] == [3, 2]

    def test_intermediates_and_absent_inputs_survive(self):
        def change(tree):
            tree.subgraphs[0].operators[0].inputs = ints(0, -1)
            tree.subgraphs[0].operators[0].intermediates = ints(3)

        tree = written(Edit(), change)
        first = tree.subgraphs[0].operators[0]
        assert names(tree) == ["x", "a", "constant", "y"]
        assert (first.inputs.tolist(), first.intermediates.tolist()) == ([0, -1], [2])

    def test_other_subgraphs_and_their_signatures_keep_their_numbers(self):
        def change(tree):
            tree.subgraphs.append(tree.subgraphs[0])
            tree.signatureDefs.append(signature("other", {"in": 0}, {"out": 4}, subgraph=1))

        before = schema.unpack(chain_bytes(change))
        tree = written(Edit(), change)
        assert names(tree, subgraph=1) == names(before)
        assert [e.tensorIndex for e in tree.signatureDefs[1].inputs + tree.signatureDefs[1].outputs] == [0, 4]
        assert plain(tree.subgraphs[1].operators[0].inputs) == plain(before.subgraphs[1].operators[0].inputs)

    def test_unused_buffers_and_operator_codes_go_but_metadata_keeps_its_buffer(self):
        tree = written(Edit())
        assert [b.data.tobytes() if b.data is not None else None for b in tree.buffers] == [None, b"1.5.0"]
        assert [(m.name, m.buffer) for m in tree.metadata] == [(b"min_runtime_version", 1)]
        assert [c.builtinCode for c in tree.operatorCodes] == [schema.enum_value("BuiltinOperator", "RELU")]

    def test_on_request_everything_stays(self):
        assert plain(written(KEEP_ALL)) == tree_of(chain_bytes())

    def test_a_plan_the_file_came_with_goes_when_tensors_go(self):
        assert [m.name for m in written(Edit(), add_plan).metadata] == [b"min_runtime_version"]


class TestOperators:
    def test_a_region_becomes_one_custom_operator(self):
        program = bytes(range(251)) * 3
        edit = Edit(
            operators=(CustomOperator("TFLM_SPLIT", (0,), (4, 5), program),),
            new_tensors=(NewTensor("workspace", (1, 640), "INT8"),),
            offsets={0: 0, 4: 512, 5: 16},
        )
        model = read_model(file_of(read_model(chain_bytes()), edit))
        (op,) = model.graph.operators
        assert [t.name for t in model.graph.tensors] == ["x", "y", "workspace"]
        assert (op.kind, op.inputs, op.outputs) == ("CUSTOM:TFLM_SPLIT", (0,), (1, 2))
        assert model.custom_options == {0: program}
        assert offline_offsets(model) == (0, 512, 16)
        assert (model.metadata, model.signature_count) == (("min_runtime_version", "OfflineMemoryAllocation"), 1)

    def test_a_custom_code_is_added_once_in_both_fields(self):
        new = (CustomOperator("A", (0,), (2,)), CustomOperator("A", (2,), (4,)))
        (added,) = written(Edit(operators=new)).operatorCodes
        assert (added.builtinCode, added.deprecatedBuiltinCode, added.customCode) == (32, 32, b"A")

    def test_a_kept_operator_keeps_its_options_on_other_tensors(self):
        def change(tree):
            kind = schema.enum_value("BuiltinOptions", "LeakyReluOptions")
            table = schema.new("LeakyReluOptionsT", alpha=0.25)
            tree.operatorCodes[1] = code("LEAKY_RELU")
            tree.subgraphs[0].operators[1] = operator(1, [2], [4], builtinOptionsType=kind, builtinOptions=table)

        tree = written(Edit(operators=(KeptOperator(1, inputs=(0,)),)), change)
        (op,) = tree.subgraphs[0].operators
        assert (op.inputs.tolist(), op.outputs.tolist(), op.builtinOptions.alpha) == ([0], [1], 0.25)
        assert names(tree) == ["x", "y"]

    def test_operators_may_be_reordered_when_the_order_still_runs(self):
        new = (KeptOperator(1, (0,), (2,)), KeptOperator(0, (2,), (4,)))
        assert len(written(Edit(operators=new)).subgraphs[0].operators) == 2
        with pytest.raises(InternalError, match="before any operator has produced it"):
            written(Edit(operators=(KeptOperator(1), KeptOperator(0))))

    def test_new_tensors_are_written_with_type_data_and_quantization(self):
        new = NewTensor("w", (2, 1), "INT16", b"\1\0\2\0", Quantization((0.5, 0.25), (0, 0), 0))
        edit = Edit(operators=(KeptOperator(0, inputs=(0, 5)), KeptOperator(1)), new_tensors=(new,))
        found = read_model(file_of(read_model(chain_bytes()), edit)).graph.tensors[-1]
        assert (found.name, found.shape, found.dtype, found.data) == ("w", (2, 1), "INT16", b"\1\0\2\0")
        assert found.quantization == new.quantization


class TestInterface:
    def test_inputs_and_outputs_are_exchanged_in_signatures_too(self):
        edit = Edit(operators=(), interface=Interface(inputs=(2,), outputs=(2,)))
        tree = written(edit)
        main, (found,) = tree.subgraphs[0], tree.signatureDefs
        assert (names(tree), main.inputs.tolist(), main.outputs.tolist()) == (["a"], [0], [0])
        assert [(e.name, e.tensorIndex) for e in found.inputs + found.outputs] == [(b"in", 0), (b"out", 0)]

    def test_an_interface_keeps_its_length(self):
        with pytest.raises(InternalError, match="2 graph inputs where the model has 1"):
            written(Edit(interface=Interface(inputs=(0, 2), outputs=(4,))))


class TestOfflinePlan:
    def test_offsets_name_tensors_by_their_number_before_dropping(self):
        model = read_model(file_of(read_model(chain_bytes()), Edit(offsets={0: 48, 1: 999, 4: 16})))
        assert offline_offsets(model) == (48, -1, 16)

    def test_it_replaces_every_plan_the_file_had(self):
        def change(tree):
            add_plan(tree)
            add_plan(tree)

        model = read_model(file_of(read_model(chain_bytes(change)), Edit(offsets={0: 64})))
        assert model.metadata == ("min_runtime_version", "OfflineMemoryAllocation")
        assert offline_offsets(model) == (64, -1, -1)

    def test_it_counts_the_tensors_of_all_subgraphs(self):
        tree = written(Edit(offsets={0: 64}), lambda t: t.subgraphs.append(t.subgraphs[0]))
        payload = tree.buffers[tree.metadata[-1].buffer].data.tobytes()
        assert np.frombuffer(payload, "<i4").tolist() == [1, 2, 8, 64, -1, -1, -1, -1, -1, -1, -1]

    def test_payload_pack_and_unpack(self):
        assert offline_plan.pack([0, -1, 16]) == np.array([1, 1, 3, 0, -1, 16], "<i4").tobytes()
        assert offline_plan.unpack(offline_plan.pack([0, -1, 16])) == (0, -1, 16)

    @pytest.mark.parametrize("offset", [-2, -16, 2**31])
    def test_an_impossible_offset_is_a_mistake_of_ours(self, offset):
        with pytest.raises(InternalError, match=str(offset)):
            offline_plan.pack([offset])

    @pytest.mark.parametrize("payload", [b"", bytes(8), np.array([1, 1, 3, 0], "<i4").tobytes(), b"\xff" * 16])
    def test_a_payload_that_promises_more_than_it_has_is_refused(self, payload):
        with pytest.raises(ModelError, match="OfflineMemoryAllocation"):
            offline_plan.unpack(payload)

    @needs_corpus
    def test_tflm_honours_the_plan_we_write(self, tmp_path):
        """All activations lie side by side: the outputs are the same, and the head is exactly their sum."""
        model = read_model(CORPUS / "models" / "mlperf_kws_int8.tflite")
        offsets, end = {}, 0
        for tensor in model.graph.tensors:
            if not tensor.is_constant:
                offsets[tensor.index] = end
                end += -(-tensor.bytes // 16) * 16
        original, planned = run_in_tflm(model, tmp_path, model.original, file_of(model, Edit(offsets=offsets)))
        assert planned["outputs"] == original["outputs"]
        assert planned["head"] == end == 72_656


BAD_EDITS = {
    "an operator that does not exist": Edit(operators=(KeptOperator(2),)),
    "a tensor that does not exist": Edit(operators=(KeptOperator(0, inputs=(5,)),)),
    "an absent output": Edit(operators=(KeptOperator(0, outputs=(-1,)),)),
    "a plan for a tensor that does not exist": Edit(offsets={5: 0}),
    "an interface that does not exist": Edit(interface=Interface((9,), (4,))),
    "a constant of the wrong length": Edit(
        operators=(KeptOperator(0, inputs=(0, 5)), KeptOperator(1)), new_tensors=(NewTensor("w", (3,), "INT8", b"1"),)
    ),
}


@pytest.mark.parametrize("case", BAD_EDITS)
def test_an_edit_is_a_mistake_of_ours_if_it_names(case):
    with pytest.raises(InternalError):
        written(BAD_EDITS[case])
