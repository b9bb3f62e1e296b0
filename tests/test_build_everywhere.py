"""Does `scripts/build_everywhere.py` make an image where one can be made, and say what the compiler says where not?

Three of its ways, each for another core at another level; CI's workflow tries all.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from cores import CORES
from user_models import small_network

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import build_everywhere  # of scripts/, which is no package


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> build_everywhere.Sources:
    folder = tmp_path_factory.mktemp("everywhere")
    (folder / "net.tflite").write_bytes(small_network())
    picture = np.random.default_rng(7).integers(-128, 128, (1, 16, 16, 2), np.int8)
    return build_everywhere.Sources(folder, folder / "net.tflite", picture, "abcde")


@pytest.mark.parametrize(
    ("way", "core", "level"), [("make", "m55", "-Og"), ("cmake", "m7", "-O0"), ("export", "rv32imc", "-Os")]
)
def test_a_documented_way_leads_to_an_image(sources: build_everywhere.Sources, way: str, core: str, level: str) -> None:
    for tool in (CORES[core][0], CORES[core][0].removesuffix("gcc") + "g++", way.replace("export", "gcc")):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    assert build_everywhere.build(sources, way, core, level) > 10_000


def test_a_warning_is_an_error_in_the_compilers_words(sources: build_everywhere.Sources, tmp_path: Path) -> None:
    if shutil.which(CORES["m7"][0]) is None:
        pytest.skip(f"{CORES['m7'][0]} is not installed")
    (tmp_path / "faulty.c").write_text("int faulty(int unused) { return 0; }\n")
    with pytest.raises(build_everywhere.NotBuilt, match="unused parameter"):
        build_everywhere.Tools("m7", "-O2").objects(tmp_path, [tmp_path / "faulty.c"], [])


def test_every_way_that_the_documents_name_is_tried() -> None:
    documents = (Path(__file__).resolve().parents[1] / "docs" / "firmware.md").read_text()
    assert {"make", "cmake", "arduino", "esp-idf", "zephyr"} == set(build_everywhere.WAYS) - {"export"}
    assert all(f"--for {way}" in documents for way in build_everywhere.WAYS if way != "export")
