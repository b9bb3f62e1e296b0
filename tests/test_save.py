"""A file on disk is the old one or the whole new one; never half of one, never the input by accident."""

import errno
import os
from pathlib import Path

import pytest

from tflm_split.errors import InputError
from tflm_split.tflite import save as save_module
from tflm_split.tflite.save import NewFile, save, save_together


def listing(folder):
    return {p.name: p.read_bytes() for p in Path(folder).iterdir()}


def test_a_new_file_has_the_bytes_and_the_usual_rights(tmp_path):
    save(b"model", tmp_path / "m.tflite")
    assert listing(tmp_path) == {"m.tflite": b"model"}
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert (tmp_path / "m.tflite").stat().st_mode == plain.stat().st_mode


def test_an_existing_file_is_refused_without_force(tmp_path):
    (tmp_path / "m").write_bytes(b"old")
    with pytest.raises(InputError, match="exists already"):
        save(b"new", tmp_path / "m")
    assert listing(tmp_path) == {"m": b"old"}


def test_two_results_do_not_go_to_one_file(tmp_path):
    files = [NewFile(tmp_path / "m", b"model"), NewFile(tmp_path / "." / "m", b"record", True)]
    with pytest.raises(InputError, match="m: is to hold two results at once"):
        save_together(files)
    assert listing(tmp_path) == {}


def test_force_replaces_it_and_keeps_its_rights(tmp_path):
    (tmp_path / "m").write_bytes(b"old")
    (tmp_path / "m").chmod(0o640)
    save(b"new", tmp_path / "m", force=True)
    assert listing(tmp_path) == {"m": b"new"}
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["m", "./m", "link", "hard"])
def test_the_input_under_any_name_is_refused_without_force(tmp_path, name):
    (tmp_path / "m").write_bytes(b"input")
    (tmp_path / "link").symlink_to(tmp_path / "m")
    os.link(tmp_path / "m", tmp_path / "hard")
    with pytest.raises(InputError, match="is the input file itself"):
        save(b"new", tmp_path / name, input_path=tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == b"input"


def test_with_force_the_input_is_replaced(tmp_path):
    (tmp_path / "m").write_bytes(b"input")
    save(b"new", tmp_path / "m", force=True, input_path=tmp_path / "m")
    assert listing(tmp_path) == {"m": b"new"}


def test_a_link_keeps_pointing_at_the_file_it_names(tmp_path):
    (tmp_path / "m").write_bytes(b"old")
    (tmp_path / "link").symlink_to("m")
    save(b"new", tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "m").read_bytes() == b"new"


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a directory"):
        save(b"new", tmp_path, force=True)
    assert listing(tmp_path) == {}


def test_a_device_is_refused():
    with pytest.raises(InputError, match="not a regular file"):
        save(b"new", "/dev/null", force=True)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        save(b"new", tmp_path / "missing" / "m")
    assert listing(tmp_path) == {}


def test_a_file_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        save(b"new", tmp_path / "file" / "m")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 300])
def test_an_impossible_name_is_refused(tmp_path, name):
    with pytest.raises(InputError) as caught:
        save(b"new", f"{tmp_path}/{name}")
    assert "\n" not in str(caught.value)
    assert listing(tmp_path) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_write_protected_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        save(b"new", tmp_path / "m")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_when_the_disk_fills_up_the_old_file_survives_and_nothing_is_left(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "m").write_bytes(b"old")
    monkeypatch.setattr(save_module.os, step, full)
    with pytest.raises(InputError, match="No space left on device"):
        save(b"new", tmp_path / "m", force=True)
    assert listing(tmp_path) == {"m": b"old"}


def test_when_the_user_interrupts_nothing_is_left(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(save_module.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(b"new", tmp_path / "m")
    assert listing(tmp_path) == {}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_write_that_really_fails_leaves_the_old_file(tmp_path, monkeypatch):
    """The temporary file is swapped for the device that is always full."""
    made = save_module.tempfile.mkstemp

    def on_a_full_disk(**options):
        handle, name = made(**options)
        os.close(handle)
        return os.open("/dev/full", os.O_WRONLY), name

    (tmp_path / "m").write_bytes(b"old")
    monkeypatch.setattr(save_module.tempfile, "mkstemp", on_a_full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        save(b"new" * 10_000, tmp_path / "m", force=True)
    assert listing(tmp_path) == {"m": b"old"}
