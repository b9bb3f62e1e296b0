"""Other programs that show models: Model Explorer takes our values per operator, Netron shows the files that we write."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_browser import browser  # noqa: F401  # a fixture
from user_models import MODELS, float_sine

import tflm_split
from tflm_split.cli import main
from tflm_split.tflite.reader import read_model

MODEL = MODELS / "digits_wide.tflite"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a split model, `split.tflite`, and the values of its operators."""
    folder = tmp_path_factory.mktemp("nodes")
    words = ["optimize", MODEL, "--no-verify", "-o", folder / "split.tflite", "--node-data", folder]
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert not ended.value.code
    return folder


def test_each_operator_has_its_values(written: Path) -> None:
    result = tflm_split.optimize(MODEL, verify=False)
    files = {path.name.split(".")[1]: json.loads(path.read_text()) for path in written.glob("digits_wide.*.json")}
    assert files == {kind: json.loads(text) for kind, text in result.node_data().items()}
    assert set(files) == {"live_bytes", "split_live_bytes", "instructions", "region"}
    operators = read_model(MODEL).graph.operators
    for data in files.values():
        assert sorted(map(int, data["results"])) == [op.index for op in operators]
    assert files["live_bytes"]["results"]["0"]["value"] == result.operators()[0]["live_bytes"]
    assert {result["value"] for result in files["region"]["results"].values()} == {"region 0"}


def test_a_refusal_is_a_value_with_what_to_do() -> None:
    data = json.loads(tflm_split.optimize(float_sine(), verify=False).node_data()["refusal"])
    assert all(": " in result["value"] for result in data["results"].values())


def test_without_a_folder_nothing_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["optimize", str(MODEL), "--node-data", str(tmp_path / "missing")])
    assert ended.value.code == 2
    assert "is no folder to write values per operator to" in capsys.readouterr().err


def test_model_explorer_loads_them(written: Path) -> None:
    explorer = pytest.importorskip(
        "model_explorer", reason="ai-edge-model-explorer is not installed (the extra `looking`)"
    )
    from model_explorer.builtin_tflite_flatbuffer_adapter import BuiltinTfliteFlatbufferAdapter
    from model_explorer.node_data_builder import GraphNodeData

    (graph,) = BuiltinTfliteFlatbufferAdapter().convert(str(MODEL), {})["graphCollections"][0].graphs
    kind_of = {node["id"]: node["label"] for node in graph["nodes"]}
    operators = read_model(MODEL).graph.operators
    config = explorer.config().add_model_from_path(str(MODEL))
    for path in sorted(written.glob("digits_wide.*.json")):
        data = json.loads(path.read_text())
        assert GraphNodeData(**data).results == data["results"]
        for op in operators:
            assert kind_of[str(op.index)].replace(" ", "_").upper().endswith(op.kind)
            assert str(op.index) in data["results"]
        config.add_node_data_from_path(str(path))
    assert len(config.node_data_sources) == 4
    assert config.to_url_param_value()


SERVE = """
import sys, model_explorer
config = model_explorer.config().add_model_from_path(sys.argv[2])
for path in sys.argv[3:]:
    config.add_node_data_from_path(path)
print(config.to_url_param_value(), flush=True)
model_explorer.visualize_from_config(config, port=int(sys.argv[1]), no_open_in_browser=True)
"""
"""A Model Explorer of its own: port, model, files of values."""


def test_model_explorer_shows_them(written: Path, browser: Any) -> None:  # noqa: F811
    pytest.importorskip("model_explorer", reason="ai-edge-model-explorer is not installed (the extra `looking`)")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-c", SERVE, str(port), str(MODEL), *map(str, sorted(written.glob("digits_wide.*.json")))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            data = server.stdout.readline().strip()
            _wait_for(port)
            page = browser.new_page()
            own = f"http://localhost:{port}/"
            page.route(
                "**/*", lambda r: r.continue_() if r.request.url.startswith((own, "data:", "blob:")) else r.abort()
            )
            page.goto(f"{own}?data={data}")
            page.locator("text=live bytes, split").first.wait_for(timeout=30_000)
            largest = max(op["instructions"] or 0 for op in tflm_split.optimize(MODEL, verify=False).operators())
            page.locator(f"text={largest}").first.wait_for(timeout=30_000)
            page.close()
        finally:
            server.kill()


def _wait_for(port: int) -> None:
    """Until a server answers at `port`."""
    for _ in range(300):
        with socket.socket() as trial:
            if trial.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("no server answers")


@pytest.fixture(scope="module")
def netron_address(written: Path) -> Iterator[str]:
    netron = pytest.importorskip("netron", reason="netron is not installed (the extra `looking`)")
    host, port = netron.start(str(written / "split.tflite"), address=("127.0.0.1", 0), browse=False)
    yield f"http://{host}:{port}/"
    netron.stop((host, port))


def test_netron_shows_a_split_file(netron_address: str, browser: Any) -> None:  # noqa: F811
    page = browser.new_page()
    page.route(
        "**/*", lambda route: route.continue_() if route.request.url.startswith(netron_address) else route.abort()
    )
    page.goto(netron_address)
    page.locator("button", has_text="Accept").click()  # it asks, where it cannot find out in which country it is
    node = page.locator("text=TFLM_SPLIT").first
    node.wait_for(timeout=30_000)
    assert node.is_visible()
    page.close()
