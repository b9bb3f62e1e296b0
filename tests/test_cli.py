"""The commands: what they print and write, their exit codes, and one sentence for whatever the user gets wrong."""

import contextlib
import errno
import fcntl
import json
import os
import pty
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models import Op as NewOp
from tiny_models import T, build_model
from user_models import DSCNN, MODELS, float_network, small_network

import tflm_split
from tflm_split.cli import main
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.in_model import programs_of
from tflm_split.tflite.reader import read_model

MODULE = [sys.executable, "-m", "tflm_split"]
DONE, LIMIT_NOT_MET, BAD_INPUT, DIFFERENT = 0, 1, 2, 3


@pytest.fixture
def run(capsys):
    """Runs a command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(small_network())
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A model and its split form, on disk."""
    folder = tmp_path_factory.mktemp("pair")
    original, split = folder / "net.tflite", folder / "net_split.tflite"
    original.write_bytes(small_network())
    tflm_split.optimize(original, verify=False).save(split)
    return original, split


def refused(answer, *words):
    """Exit code 2, one sentence on stderr that holds `words`, nothing on stdout, no traceback."""
    code, out, err = answer
    assert code == BAD_INPUT
    assert out == ""
    assert err.startswith("tflm-split: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for word in words:
        assert word in err


class TestOptimize:
    def test_without_an_output_it_reports_and_writes_nothing(self, run, model):
        code, out, err = run("optimize", model)
        assert (code, err) == (DONE, "")
        assert out.startswith("net: ")
        assert "8 different outputs, every byte equal" in out
        assert out.endswith("Nothing was written; -o FILE writes the model.\n")
        assert os.listdir(model.parent) == ["net.tflite"]

    def test_it_writes_the_model_and_the_record(self, run, model, tmp_path):
        code, out, _ = run("optimize", model, "-o", tmp_path / "split.tflite", "--json", tmp_path / "report.json")
        result = tflm_split.optimize(model)
        assert code == DONE
        assert (tmp_path / "split.tflite").read_bytes() == result.model
        assert json.loads((tmp_path / "report.json").read_text()) == result.report
        assert f"tflm-split export {tmp_path / 'split.tflite'} -o " in out
        assert 'resolver.AddCustom("TFLM_SPLIT", tflm_split::Register_TFLM_SPLIT());' in out

    def test_a_dash_prints_the_record_and_nothing_else(self, run, model):
        code, out, err = run("optimize", model, "--json", "-")
        assert (code, err) == (DONE, "")
        assert json.loads(out) == tflm_split.optimize(model).report

    def test_without_verification_it_says_so(self, run, model):
        code, out, _ = run("optimize", model, "--no-verify")
        assert code == DONE
        assert "Not verified in TFLM" in out

    def test_a_limit_that_is_met_is_exit_code_0(self, run, model):
        code, out, _ = run("optimize", model, "--max-arena", "64KB")
        assert code == DONE
        assert "fits into 65,536 B" in out

    def test_a_limit_that_is_not_met_is_exit_code_1_and_the_best_found_is_written(self, run, model, tmp_path):
        code, out, err = run("optimize", model, "--max-arena", "1K", "-o", tmp_path / "best.tflite")
        assert (code, err) == (LIMIT_NOT_MET, "")
        assert "does NOT fit into 1,024 B" in out.splitlines()[0]
        assert "Tightest at step " in out
        assert (tmp_path / "best.tflite").read_bytes() == tflm_split.optimize(model, verify=False).model

    def test_int8_io_says_how_the_interface_changed(self, run, tmp_path):
        (tmp_path / "net.tflite").write_bytes(float_network())
        code, out, _ = run("optimize", tmp_path / "net.tflite", "--int8-io")
        assert code == DONE
        assert out.count("The interface changed: ") == 2

    def test_int8_io_on_an_integer_model_says_that_it_did_nothing(self, run, model):
        assert "--int8-io changed nothing" in run("optimize", model, "--int8-io", "--no-verify")[1]

    def test_the_units_of_a_size_are_in_the_help(self, run):
        code, out, _ = run("optimize", "--help")
        assert code == DONE
        for words in ("65536", "64K,", "64KB", "64KiB", "K = 1024"):
            assert words in out

    def test_an_existing_output_is_refused_before_the_work_and_replaced_by_force(self, run, model, tmp_path):
        output = tmp_path / "out.tflite"
        output.write_bytes(b"old")
        for option in ("-o", "--json"):
            refused(run("optimize", tmp_path / "missing.tflite", option, output), "out.tflite: exists already")
        assert output.read_bytes() == b"old"
        assert run("optimize", model, "--no-verify", "-o", output, "--force")[0] == DONE
        assert output.read_bytes() == tflm_split.optimize(model, verify=False).model

    def test_the_input_is_never_written_onto_unless_forced(self, run, model):
        before = model.read_bytes()
        refused(run("optimize", model, "-o", model), "is the input file itself")
        assert model.read_bytes() == before

    def test_a_model_is_not_printed(self, run, model):
        code, _, err = run("optimize", model, "-o", "-")
        assert code == 2
        assert "-o -: a model is not printed; give it the name of a file" in err

    def test_one_file_cannot_hold_both_model_and_record(self, run, model, tmp_path):
        refused(
            run("optimize", model, "-o", tmp_path / "x", "--json", tmp_path / "." / "x"),
            "is asked to hold two of the model, the record, the page and the plan",
        )

    @pytest.mark.parametrize("where", ["missing/out.tflite", "net.tflite/out.tflite", "", "a\nb/c"])
    def test_a_place_that_cannot_be_written_is_refused(self, run, model, tmp_path, where):
        refused(run("optimize", model, "-o", tmp_path / where))
        assert os.listdir(tmp_path) == ["net.tflite"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_without_write_permission_is_refused(self, run, model, tmp_path):
        (tmp_path / "locked").mkdir(mode=0o500)
        refused(run("optimize", model, "-o", tmp_path / "locked" / "out.tflite"), "cannot be written")

    def test_when_the_disk_is_full_the_old_files_survive(self, model, tmp_path):
        """A limit on file sizes stands for the full disk. The model is larger, so the record is not written either."""
        (tmp_path / "out.tflite").write_bytes(b"old")

        def small_disk():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        command = ["optimize", str(model), "--no-verify", "--force", "-o", "out.tflite", "--json", "report.json"]
        done = subprocess.run(
            [*MODULE, *command], cwd=tmp_path, preexec_fn=small_disk, capture_output=True, text=True, check=False
        )
        refused((done.returncode, done.stdout, done.stderr), "out.tflite: cannot be written", os.strerror(errno.EFBIG))
        assert sorted(os.listdir(tmp_path)) == ["net.tflite", "out.tflite"]
        assert (tmp_path / "out.tflite").read_bytes() == b"old"


def dynamic_model() -> bytes:
    return build_model([T((1, -1, 4)), T((1, -1, 4))], [NewOp("RELU", [0], [1])], [0], [1])


BAD_FILES = {
    "empty": (b"", "is empty"),
    "text": (b"a letter, not a model\n", "is not a TensorFlow Lite model"),
    "zeros": (bytes(1000), "is not a TensorFlow Lite model"),
    "truncated": (small_network()[:900], "damaged"),
    "only a header": (small_network()[:8], "damaged"),
    "dynamic": (dynamic_model(), "dynamic shape"),
}


class TestBadInput:
    @pytest.mark.parametrize("name", BAD_FILES)
    @pytest.mark.parametrize("command", ["optimize", "inspect", "program"])
    def test_a_file_that_is_no_model_is_refused_in_one_sentence(self, run, tmp_path, name, command):
        data, words = BAD_FILES[name]
        (tmp_path / "bad.tflite").write_bytes(data)
        output = ["-o", tmp_path / "out.tflite"] if command == "optimize" else []
        refused(run(command, tmp_path / "bad.tflite", *output), "bad.tflite", words)
        assert os.listdir(tmp_path) == ["bad.tflite"]

    @pytest.mark.parametrize("command", ["optimize", "inspect", "program"])
    def test_a_missing_file_and_a_directory_are_refused(self, run, tmp_path, command):
        refused(run(command, tmp_path / "none.tflite"), "none.tflite: no such file")
        refused(run(command, tmp_path), "is a directory")

    @pytest.mark.parametrize("which", [0, 1])
    def test_verify_refuses_either_file(self, run, pair, tmp_path, which):
        files = list(pair)
        files[which] = tmp_path / "none.tflite"
        refused(run("verify", *files), "no such file")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--max-arena", "many"],
            ["--max-arena", "0"],
            ["--inputs", "0"],
            ["--inputs", "x"],
            ["--seed", "-1"],
            ["--nonsense"],
        ],
    )
    def test_an_unreadable_option_is_refused(self, run, model, arguments):
        refused(run("optimize", model, *arguments), "see: tflm-split optimize --help")

    def test_an_option_without_its_value_is_refused(self, run, model):
        refused(run("optimize", model, "--max-arena"), "'--max-arena' requires an argument")

    @pytest.mark.parametrize("arguments", [["frobnicate"], ["optimize"], ["verify", "a"], ["run", "m"], ["--what"]])
    def test_an_unknown_command_and_a_missing_argument_are_refused(self, run, arguments):
        refused(run(*arguments), "--help")

    def test_without_arguments_it_shows_the_help(self, run):
        code, out, err = run()
        assert (code, out) == (BAD_INPUT, "")
        assert all(command in err for command in ("optimize", "inspect", "verify", "program", "run"))

    def test_a_model_that_tflm_cannot_run_is_the_users_not_ours(self, run, tmp_path):
        data = build_model([T((1, 4)), T((1, 4))], [NewOp("CUSTOM:Nobody", [0], [1])], [0], [1])
        (tmp_path / "odd.tflite").write_bytes(data)
        refused(
            run("optimize", tmp_path / "odd.tflite"), "TFLM does not know the custom operator 'Nobody'", "--no-verify"
        )

    def test_inputs_too_large_to_verify_on_are_refused_before_they_are_made(self, run, tmp_path):
        huge = (1, 1 << 15, 1 << 14)
        data = build_model([T(huge), T(huge)], [NewOp("RELU", [0], [1])], [0], [1])
        (tmp_path / "huge.tflite").write_bytes(data)
        refused(run("optimize", tmp_path / "huge.tflite"), "--no-verify")

    def test_debug_adds_the_traceback(self, run):
        code, _, err = run("--debug", "inspect", "none.tflite")
        assert code == BAD_INPUT
        assert "Traceback" in err


def with_another_weight(split: Path) -> bytes:
    """The split model with the weights of its first convolution turned upside down."""
    data = split.read_bytes()
    (blob,) = programs_of(read_model(data)).values()
    program = decode(blob)
    weights = program.constants[int(program.ops[0].params["weights_offset"])]
    flipped = bytes(value ^ 0x80 for value in weights)
    changed = encode(replace(program, constants=tuple(flipped if c == weights else c for c in program.constants)))
    assert data.count(blob) == 1 and len(changed) == len(blob)
    return data.replace(blob, changed)


class TestOtherCommands:
    def test_inspect_lists_operators_with_live_memory_and_what_can_be_split(self, run):
        code, out, _ = run("inspect", DSCNN)
        assert code == DONE
        assert "12 of 12 operators can be split, 0 stay stock" in out
        assert len([line for line in out.splitlines() if "DEPTHWISE_CONV_2D" in line]) == 4
        assert "16,000" in out

    def test_inspect_says_why_not(self, run, tmp_path):
        shape = (99, 2, 2, 3)
        data = build_model([T(shape, "FLOAT32"), T(shape, "FLOAT32")], [NewOp("FLOOR", [0], [1])], [0], [1])
        (tmp_path / "m.tflite").write_bytes(data)
        code, out, _ = run("inspect", tmp_path / "m.tflite", "--json")
        (operator,) = json.loads(out)["operators"]
        assert code == DONE
        assert operator["splittable"] is False
        assert operator["reason"]
        assert operator["live_bytes"] == 2 * 4 * (99 * 2 * 2 * 3)

    def test_inspect_shows_along_which_axes_the_largest_tensor_can_be_cut(self, run):
        code, out, _ = run("inspect", DSCNN, "--axes", "--json")
        found = json.loads(out)["axes"]
        assert code == DONE
        assert found["shape"] == [1, 25, 5, 64]
        rows, columns, channels = found["axes"]
        assert [a["size"] for a in (rows, columns, channels)] == [25, 5, 64]
        assert rows["tensors"][0]["made_by"] == "the model's input"
        assert rows["overlaps"][0] == {"operator": "op 0 CONV_2D", "indices": 8}
        assert len(channels["tensors"]) < len(rows["tensors"])
        code, out, _ = run("inspect", DSCNN, "--axes")
        assert code == DONE
        assert "Along axis 1 (of 25) one cut goes through" in out

    def test_inspect_shows_the_axes_of_a_named_tensor_and_refuses_another(self, run):
        (first,) = json.loads(run("inspect", DSCNN, "--json")[1])["inputs"]
        code, out, _ = run("inspect", DSCNN, "--tensor", first["name"], "--json")
        assert code == DONE
        assert json.loads(out)["axes"]["tensor"] == first["name"]
        code, _, err = run("inspect", DSCNN, "--tensor", "nobody")
        assert code == BAD_INPUT
        assert "no activation is called 'nobody'" in err

    def test_verify_says_equal(self, run, pair):
        code, out, _ = run("verify", *pair)
        assert code == DONE
        assert out.startswith("Equal: every byte of 16 inputs")

    def test_verify_as_json(self, run, pair):
        code, out, _ = run("verify", *pair, "--inputs", 3, "--seed", 7, "--json")
        record = json.loads(out)
        assert code == DONE
        assert record["verified"]["inputs"] == 3
        assert record["verified"]["seed"] == 7
        assert record["verified"]["bit_exact"] is True
        assert record["optimized"]["measured_arena_bytes"] < record["original"]["measured_arena_bytes"]

    def test_verify_finds_a_difference_and_leaves_with_3(self, run, pair, tmp_path):
        (tmp_path / "changed.tflite").write_bytes(with_another_weight(pair[1]))
        code, out, _ = run("verify", pair[0], tmp_path / "changed.tflite")
        assert code == DIFFERENT
        assert out.startswith("DIFFERENT: input 0: output 0 ")
        assert " elements, first at [0, " in out.splitlines()[0]

    def test_verify_refuses_models_with_other_interfaces(self, run, pair):
        refused(run("verify", pair[0], DSCNN), "in one model and")

    def test_verify_accepts_the_int8_form_of_a_float_model(self, run, tmp_path):
        (tmp_path / "net.tflite").write_bytes(float_network())
        tflm_split.optimize(float_network(), int8_io=True).save(tmp_path / "int8.tflite")
        assert run("verify", tmp_path / "net.tflite", tmp_path / "int8.tflite")[0] == DONE

    def test_program_prints_steps_pieces_and_addresses(self, run, pair):
        code, out, _ = run("program", pair[1])
        assert code == DONE
        for section in ("inputs", "outputs", "storages", "views", "ops", "steps"):
            assert f"\n{section}\n" in out
        assert "CONV#0" in out

    def test_program_refuses_a_model_without_one(self, run, pair):
        refused(run("program", pair[0]), "holds no TFLM_SPLIT operator")

    def test_run_gives_the_same_array_for_both_models(self, run, pair, tmp_path):
        values = np.random.default_rng(0).integers(-128, 128, (1, 16, 16, 2)).astype(np.int8)
        np.save(tmp_path / "x.npy", values)
        found = []
        for name, path in zip(("a.npy", "b.npy"), pair, strict=True):
            code, out, _ = run("run", path, "--input", tmp_path / "x.npy", "--output", tmp_path / name)
            assert code == DONE
            assert out == f"{tmp_path / name}: int8 [1, 5]\n"
            found.append(np.load(tmp_path / name))
        assert np.array_equal(*found)

    @pytest.mark.parametrize(
        ("array", "words"),
        [
            (np.zeros((1, 16, 16, 3), np.int8), "takes int8 [1, 16, 16, 2]"),
            (np.zeros((1, 16, 16, 2), np.float32), "is float32 [1, 16, 16, 2]"),
            (np.zeros((1, 16, 16, 2), np.uint8), "is uint8"),
            (b"no array", "is not a .npy array"),
            (b"", "is not a .npy array"),
            (None, "no such file"),
        ],
    )
    def test_run_refuses_an_array_that_does_not_fit(self, run, pair, tmp_path, array, words):
        if isinstance(array, bytes):
            (tmp_path / "x.npy").write_bytes(array)
        elif array is not None:
            np.save(tmp_path / "x.npy", array)
        refused(run("run", pair[1], "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"), "x.npy", words)
        assert not (tmp_path / "y.npy").exists()

    def test_run_refuses_too_many_files(self, run, pair, tmp_path):
        np.save(tmp_path / "x.npy", np.zeros((1, 16, 16, 2), np.int8))
        x, y = ["--input", tmp_path / "x.npy"], ["--output", tmp_path / "y.npy"]
        refused(run("run", pair[1], *x, *x, *y), "has 1 input, but 2 files are given")
        refused(run("run", pair[1], *x, *y, "--output", tmp_path / "z.npy"), "has 1 output, but 2 files are given")
        refused(run("run", pair[1], *x, *y, *y), "the same file")


class TestProcess:
    """Tests that need a process of its own: the module, terminals, signals and pipes."""

    def test_the_module_is_the_program_and_prints_no_bar_into_a_pipe(self, model):
        done = subprocess.run([*MODULE, "optimize", str(model)], capture_output=True, text=True, check=False)
        assert done.returncode == DONE
        assert done.stdout.startswith("net: ")
        assert done.stderr == ""

    def test_on_a_terminal_there_is_a_progress_bar_and_control_c_ends_it_in_one_line(self, tmp_path):
        terminal, its_stderr = pty.openpty()
        fcntl.ioctl(its_stderr, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
        command = [*MODULE, "optimize", str(MODELS / "digits_resnet8.tflite"), "--inputs", "2000", "--effort", "low"]
        with tempfile.TemporaryFile() as stdout:
            process = subprocess.Popen(
                [*command, "-o", str(tmp_path / "out.tflite")], stdout=stdout, stderr=its_stderr, start_new_session=True
            )
            os.close(its_stderr)
            shown = b""
            while b"verify, best head" not in shown:
                shown += os.read(terminal, 4096)
            os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(OSError):  # EIO is how a terminal says that the program has gone
                while chunk := os.read(terminal, 4096):
                    shown += chunk
            assert process.wait(60) == 128 + signal.SIGINT
            os.close(terminal)
            assert stdout.tell() == 0
        assert b"Traceback" not in shown
        assert shown.endswith(b"tflm-split: interrupted; nothing was written\r\n")
        assert os.listdir(tmp_path) == []

    def test_a_reader_that_goes_away_is_no_error_message(self, pair):
        command = subprocess.list2cmdline([*MODULE, "program", str(pair[1])])
        done = subprocess.run(
            ["bash", "-c", f"{command} | true"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, check=False
        )
        assert done.stderr == b""

    def test_the_version_is_the_packages(self, run):
        assert run("--version")[:2] == (DONE, f"tflm-split, version {tflm_split.__version__}\n")

    def test_run_never_writes_onto_what_it_reads(self, run, pair, tmp_path):
        path = tmp_path / "x.npy"
        np.save(path, np.zeros((1, 8, 8, 3), np.int8))
        before = path.read_bytes()
        refused(run("run", pair[1], "--input", path, "--output", path, "--force"), "is one of the files that are read")
        assert path.read_bytes() == before
