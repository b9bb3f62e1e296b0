"""What the reader makes of a file, and what it refuses, with which kind of error."""

import os
import random
import re
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from tflite_helpers import (
    CORPUS,
    ROOT,
    buffer,
    chain_bytes,
    code,
    corpus_files,
    ints,
    needs_corpus,
    operator,
    quantized,
)

from tflm_split.errors import InputError, ModelError
from tflm_split.ir.graph import ABSENT, Quantization
from tflm_split.tflite import bounds, offline_plan, schema
from tflm_split.tflite.reader import offline_offsets, read_model


def conv_operator(**options):
    table = schema.new("Conv2DOptionsT", padding=0, strideW=1, strideH=2, fusedActivationFunction=3)
    for name, value in options.items():
        setattr(table, name, value)
    kind = schema.enum_value("BuiltinOptions", "Conv2DOptions")
    return operator(2, [0, 3], [2], builtinOptionsType=kind, builtinOptions=table)


def only(tree, op):
    """Make `op` the first operator of the chain, on maps of one pixel; number 2 is the code of CONV_2D."""
    tree.operatorCodes.append(code("CONV_2D"))
    for index in (0, 2, 3):
        tree.subgraphs[0].tensors[index].shape = ints(1, 1, 1, 4)
    tree.subgraphs[0].operators[0] = op


class TestWhatIsRead:
    def test_graph_metadata_and_signatures(self):
        model = read_model(chain_bytes())
        graph = model.graph
        assert [t.name for t in graph.tensors] == ["x", "orphan", "a", "constant", "y"]
        assert [(op.kind, op.inputs, op.outputs, op.source) for op in graph.operators] == [
            ("RELU", (0,), (2,), (0,)),
            ("RELU", (2,), (4,), (1,)),
        ]
        assert (graph.name, graph.inputs, graph.outputs) == ("main", (0,), (4,))
        assert (model.metadata, model.signature_count, model.description) == (("min_runtime_version",), 1, "two RELUs")
        assert model.original == chain_bytes()

    def test_a_path_names_the_model(self, tmp_path):
        path = tmp_path / "wake_word.tflite"
        path.write_bytes(chain_bytes())
        assert read_model(path).name == "wake_word"
        assert read_model(str(path)).graph == read_model(chain_bytes()).graph

    def test_only_a_tensor_with_buffer_data_is_constant(self):
        tensors = read_model(chain_bytes()).graph.tensors
        assert [t.data for t in tensors] == [None, None, None, b"\1\2\3\4", None]

    def test_options_have_schema_names_and_enums_are_words(self):
        model = read_model(chain_bytes(lambda tree: only(tree, conv_operator())))
        assert dict(model.graph.operators[0].options) == {
            "padding": "SAME",
            "stride_w": 1,
            "stride_h": 2,
            "fused_activation_function": "RELU6",
            "dilation_w_factor": 1,
            "dilation_h_factor": 1,
            "quantized_bias_type": "FLOAT32",
        }

    def test_an_unknown_enum_value_is_the_string_of_its_number(self):
        op = conv_operator(padding=7, fusedActivationFunction=99)
        options = read_model(chain_bytes(lambda tree: only(tree, op))).graph.operators[0].options
        assert (options["padding"], options["fused_activation_function"]) == ("7", "99")

    def test_a_custom_operator_carries_its_code_and_its_bytes(self):
        def change(tree):
            tree.operatorCodes[1] = code("CUSTOM", b"TFLM_SPLIT")
            tree.subgraphs[0].operators[1].customOptions = np.frombuffer(b"program", np.uint8)

        model = read_model(chain_bytes(change))
        assert model.graph.operators[0].kind == "CUSTOM:TFLM_SPLIT"
        assert model.custom_options == {1: b"program"}

    @pytest.mark.parametrize(("new", "old"), [(0, 25), (25, 0), (150, 127)])
    def test_the_operator_number_is_the_larger_of_both_fields(self, new, old):
        def change(tree):
            tree.operatorCodes[1] = schema.new("OperatorCodeT", builtinCode=new, deprecatedBuiltinCode=old)

        kind = read_model(chain_bytes(change)).graph.operators[0].kind
        assert kind == schema.enum_name("BuiltinOperator", max(new, old))

    def test_an_absent_input_stays_absent(self):
        model = read_model(chain_bytes(lambda tree: only(tree, operator(2, [0, 3, -1], [2]))))
        assert model.graph.operators[0].inputs == (0, 3, ABSENT)

    def test_a_scale_is_the_float32_in_the_file(self):
        model = read_model(
            chain_bytes(lambda tree: setattr(tree.subgraphs[0].tensors[0], "quantization", quantized(0.1)))
        )
        assert model.graph.tensors[0].quantization == Quantization((float(np.float32(0.1)),), (-3,), 0)

    @pytest.mark.parametrize("gone", ["scale", "zeroPoint"])
    def test_without_scales_or_zero_points_a_tensor_is_not_quantized(self, gone):
        def change(tree):
            setattr(tree.subgraphs[0].tensors[0].quantization, gone, None)

        assert read_model(chain_bytes(change)).graph.tensors[0].quantization is None

    def test_one_zero_point_stands_for_all_channels(self):
        def change(tree):
            tree.subgraphs[0].tensors[3].quantization = schema.new(
                "QuantizationParametersT",
                scale=np.array([1, 2, 3, 4], np.float32),
                zeroPoint=np.array([5], np.int64),
                quantizedDimension=0,
            )

        quantization = read_model(chain_bytes(change)).graph.tensors[3].quantization
        assert quantization == Quantization((1.0, 2.0, 3.0, 4.0), (5, 5, 5, 5), 0)

    def test_variables_are_marked(self):
        model = read_model(chain_bytes(lambda tree: setattr(tree.subgraphs[0].tensors[1], "isVariable", True)))
        assert [t.is_variable for t in model.graph.tensors] == [False, True, False, False, False]

    def test_a_shape_signature_with_a_free_batch_is_fine_where_the_shape_is_final(self):
        model = read_model(
            chain_bytes(lambda tree: setattr(tree.subgraphs[0].tensors[0], "shapeSignature", ints(-1, 4)))
        )
        assert model.graph.tensors[0].shape == (1, 4)

    def test_sub_byte_constants_are_read_without_a_length_check(self):
        model = read_model(chain_bytes(lambda tree: setattr(tree.subgraphs[0].tensors[3], "type", 17)))
        assert model.graph.tensors[3].dtype == "INT4"

    def test_other_subgraphs_are_counted(self):
        model = read_model(chain_bytes(lambda tree: tree.subgraphs.append(tree.subgraphs[0])))
        assert (model.subgraph_count, len(model.graph.operators)) == (2, 2)

    def test_an_offline_plan_is_read_for_the_main_graph(self):
        def change(tree):
            tree.subgraphs.append(tree.subgraphs[0])
            tree.buffers.append(buffer(offline_plan.pack([0, -1, 16, -1, 32] + [-1] * 5, subgraphs=2)))
            tree.metadata.append(schema.new("MetadataT", name=b"OfflineMemoryAllocation", buffer=4))

        assert offline_offsets(read_model(chain_bytes())) is None
        assert offline_offsets(read_model(chain_bytes(change))) == (0, -1, 16, -1, 32)

    @needs_corpus
    @pytest.mark.parametrize("path", corpus_files("models"))
    def test_every_real_model_is_read(self, path):
        model = read_model(path)
        assert model.graph.operators and model.graph.inputs and model.graph.outputs
        assert all(op.kind and not op.kind.isdigit() for op in model.graph.operators)


def drop(tree, attribute):
    setattr(tree, attribute, None)


def sparse(tree):
    tree.subgraphs[0].tensors[3].sparsity = schema.new("SparsityParametersT")


def blockwise(tree):
    kind = schema.enum_value("QuantizationDetails", "BlockwiseQuantization")
    details = schema.new("BlockwiseQuantizationT", scales=3)
    tree.subgraphs[0].tensors[0].quantization = quantized(detailsType=kind, details=details)


def out_of_order(tree):
    tree.subgraphs[0].operators.reverse()


def compressed(tree):
    tree.metadata[0].name = b"COMPRESSION_METADATA"


REFUSALS = {
    "a dynamic shape": (lambda t: setattr(t.subgraphs[0].tensors[2], "shape", ints(-1, 4)), "dynamic shape"),
    "operators out of order": (out_of_order, "before any operator has produced it"),
    "a constant too short": (lambda t: setattr(t.subgraphs[0].tensors[3], "shape", ints(5)), "takes 5"),
    "a constant too long": (lambda t: setattr(t.subgraphs[0].tensors[3], "shape", ints(3)), "takes 3"),
    "a sparse tensor": (sparse, "sparse"),
    "block-wise quantisation": (blockwise, "BlockwiseQuantization"),
    "compressed weights": (compressed, "compressed"),
    "buffer data behind the flatbuffer": (lambda t: setattr(t.buffers[1], "offset", 4096), "outside the flatbuffer"),
    "an external buffer": (lambda t: setattr(t, "externalBuffers", [schema.new("ExternalBufferT")]), "external"),
    "data in buffer 0": (lambda t: t.buffers.__setitem__(0, buffer(b"x")), "buffer 0"),
    "another schema version": (lambda t: setattr(t, "version", 2), "schema version 2"),
    "hundreds of subgraphs": (lambda t: setattr(t, "subgraphs", t.subgraphs * 300), "holds 300 graphs"),
    "no operand": (lambda t: setattr(t.subgraphs[0].operators[0], "inputs", ints()), "op 0 RELU lacks its input 0"),
    "what nobody produces": (lambda t: setattr(t.subgraphs[0].operators[0], "inputs", ints(1)), "nothing produces"),
    "no subgraph": (lambda t: drop(t, "subgraphs"), "holds no graph"),
    "no buffers": (lambda t: drop(t, "buffers"), "holds no buffers"),
    "an unknown operator": (lambda t: setattr(t.operatorCodes[1], "builtinCode", 9999), "unknown operator number 9999"),
    "an unknown type": (lambda t: setattr(t.subgraphs[0].tensors[0], "type", 99), "unknown type number 99"),
    "a tensor of no buffer": (lambda t: setattr(t.subgraphs[0].tensors[0], "buffer", 77), "buffer 77"),
    "an operator without a code": (lambda t: setattr(t.subgraphs[0].operators[0], "opcodeIndex", 9), "operator code 9"),
    "an operator on no tensor": (lambda t: setattr(t.subgraphs[0].operators[0], "inputs", ints(9)), "tensor 9"),
    "an interface of no tensor": (lambda t: setattr(t.subgraphs[0], "outputs", ints(9)), "tensor 9"),
    "a signature of no subgraph": (lambda t: setattr(t.signatureDefs[0], "subgraphIndex", 3), "subgraph 3"),
    "a signature of no tensor": (lambda t: setattr(t.signatureDefs[0].inputs[0], "tensorIndex", 9), "tensor 9"),
    "metadata of no buffer": (lambda t: setattr(t.metadata[0], "buffer", 9), "buffer 9"),
    "options outside the file": (
        lambda t: setattr(t.subgraphs[0].operators[0], "largeCustomOptionsSize", 8), "outside the flatbuffer"
    ),
}  # fmt: skip


class TestWhatIsRefused:
    @pytest.mark.parametrize("case", REFUSALS)
    def test_a_model_with(self, case):
        change, sentence = REFUSALS[case]
        with pytest.raises(ModelError, match=re.escape(sentence)) as caught:
            read_model(chain_bytes(change))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "content", [b"", b"T", b"TFL3", b"hello, this is a text file\n" * 9, b"PK\3\4" + bytes(60)]
    )
    def test_bytes_that_are_no_model(self, tmp_path, content):
        path = tmp_path / "x.tflite"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=re.escape(str(path))):
            read_model(path)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(InputError, match="no such file"):
            read_model(tmp_path / "missing.tflite")

    def test_a_directory(self, tmp_path):
        with pytest.raises(InputError, match="is a directory"):
            read_model(tmp_path)

    def test_a_pipe_is_refused_instead_of_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InputError, match="not a regular file"):
            read_model(tmp_path / "pipe")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_an_unreadable_file(self, tmp_path):
        path = tmp_path / "secret.tflite"
        path.write_bytes(chain_bytes())
        path.chmod(0)
        with pytest.raises(InputError, match="cannot be read"):
            read_model(path)

    def test_a_path_with_a_zero_byte(self):
        with pytest.raises(InputError, match="cannot be read"):
            read_model("a\0b")


def answer(data):
    """A model or an InputError; anything else fails the test."""
    try:
        return read_model(data)
    except InputError as error:
        return error


def assert_some_refused(answers):
    """Some damaged files were refused, and some with harmless damage were read."""
    refused = sum(isinstance(found, InputError) for found in answers)
    assert len(answers) // 20 < refused < len(answers)


class TestDamage:
    def test_a_file_cut_off_anywhere_is_refused(self):
        data = chain_bytes()
        needed = bounds.used_bytes(data)
        for length in range(needed):
            assert isinstance(answer(data[:length]), ModelError), length

    @needs_corpus
    @pytest.mark.parametrize("name", ["mlperf_kws_int8", "mww_okay_nabu_v2", "mlperf_ad01_int8"])
    def test_a_real_model_cut_off_is_refused(self, name):
        data = (CORPUS / "models" / f"{name}.tflite").read_bytes()
        for part in range(1, 100):
            assert isinstance(answer(data[: len(data) * part // 100]), ModelError), part

    def test_any_overwritten_word_gives_a_model_or_a_refusal(self):
        data, answers = bytearray(chain_bytes()), []
        for at in range(8, len(data) - 4, 4):
            for word in (0, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
                hurt = bytearray(data)
                struct.pack_into("<I", hurt, at, word)
                answers.append(answer(bytes(hurt)))
        assert_some_refused(answers)

    def test_random_damage_gives_a_model_or_a_refusal(self):
        data, rng, answers = chain_bytes(), random.Random(0), []
        for _ in range(3000):
            hurt = bytearray(data)
            for _ in range(rng.randint(1, 6)):
                hurt[rng.randrange(8, len(hurt))] = rng.randrange(256)
            answers.append(answer(bytes(hurt)))
        assert_some_refused(answers)

    def test_an_absurd_vector_length_is_refused_at_once(self):
        data = bytearray(chain_bytes())
        model = schema.root(bytes(data))._tab
        subgraphs = model.Vector(model.Offset(8)) - 4
        struct.pack_into("<I", data, subgraphs, 0x3FFFFFFF)
        start = time.monotonic()
        assert isinstance(answer(bytes(data)), ModelError)
        assert time.monotonic() - start < 1

    def test_a_file_that_unfolds_to_billions_of_tables_is_refused_in_bounded_time(self):
        """1,000 subgraph entries refer to one subgraph, which has 10,000 entries that refer to one tensor."""
        tree = schema.unpack(chain_bytes())
        tree.subgraphs[0].tensors *= 2000
        tree.subgraphs *= 1000
        data = shared(tree)
        assert len(data) < 100_000
        start = time.monotonic()
        refusal = answer(data)
        assert isinstance(refusal, ModelError) and "refer to each other" in str(refusal)
        assert time.monotonic() - start < 10

    def test_options_of_an_unknown_kind_are_refused_not_lost(self):
        data = bytearray(chain_bytes(lambda tree: only(tree, conv_operator())))
        op = schema.root(bytes(data)).Subgraphs(0).Operators(0)._tab
        data[op.Pos + op.Offset(10)] = 250
        with pytest.raises(ModelError, match="BuiltinOptions number 250"):
            read_model(bytes(data))

    @needs_corpus
    def test_every_odd_file_gives_a_model_or_a_refusal_in_bounded_time(self):
        script = (
            "import sys\nfrom tflm_split.errors import InputError\nfrom tflm_split.tflite.reader import read_model\n"
            "for path in sys.argv[1:]:\n"
            "    try:\n        read_model(path)\n"
            "    except InputError as error:\n        assert '\\n' not in str(error)\n"
        )
        files = [str(param.values[0]) for param in corpus_files("odd")]
        done = subprocess.run(
            [sys.executable, "-c", script, *files], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()


class _Once:
    """Packs an object the first time, and refers to that copy ever after."""

    def __init__(self, value):
        self.value = value
        self.offset = None

    def Pack(self, builder):
        if self.offset is None:
            self.offset = self.value.Pack(builder)
        return self.offset


def shared(tree):
    """The tree as a file in which one tensor table and one subgraph table stand for all."""
    tensors = tree.subgraphs[0].tensors
    tree.subgraphs[0].tensors = [_Once(tensors[0])] * len(tensors)
    tree.subgraphs = [_Once(tree.subgraphs[0])] * len(tree.subgraphs)
    return schema.pack(tree)


class TestTheOneDoor:
    def test_only_the_schemas_door_imports_the_bindings(self):
        doors = [ROOT / "tflm_split" / "tflite" / name for name in ("schema.py", "providers.py")]
        pattern = re.compile(r"schema_py_generated|^\s*(import|from)\s+(flatbuffers|tflite)\b", re.MULTILINE)
        others = [
            p for p in sorted((ROOT / "tflm_split").rglob("*.py")) if p not in doors and pattern.search(p.read_text())
        ]
        assert others == []

    def test_every_union_of_the_schema_is_known_to_the_walk(self):
        bindings = schema.bindings()
        tables = [n for n, c in vars(bindings).items() if isinstance(c, type) and hasattr(bindings, f"{n}T")]
        assert len(tables) > 100
        unions = set()
        for name in tables:
            for field in vars(schema.new(f"{name}T")):
                if f"{field}Type" in vars(schema.new(f"{name}T")):
                    unions.add(field[0].upper() + field[1:])
        assert unions == set(bounds._UNIONS)
