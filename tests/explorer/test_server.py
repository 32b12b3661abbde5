"""The explorer's server: for this machine only, stopped cleanly, from a tree or a cluster."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing
from http.client import HTTPConnection

import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

import daskstem
from daskstem.cli.main import main
from daskstem.explorer.server import explore
from daskstem.schema.errors import InputError
from tests import stores
from tests.explorer.browser import ROOT, Explored, browser, chromium, served


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return stores.converted(tmp_path_factory.mktemp("served"))


@pytest.fixture
def explorer(store):
    one = explore(store)
    yield one
    one.stop()


@pytest.fixture(scope="module")
def address(store):
    with served(store, "--allow-origin", "localhost:8080") as where:
        yield where


def test_it_listens_on_this_machine_only(address):
    port = int(address.rstrip("/").rpartition(":")[2])
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    assert listening == {"127.0.0.1"}


def upgrade(address, origin):
    """Ask for the page's websocket as a browser does that has a page of ``origin`` open."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        page = answer.read().decode()
    token = page.partition('"token":"')[2].partition('"')[0]
    headers = {
        "Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": f"bokeh, {token}",
    }  # fmt: skip
    with closing(HTTPConnection(address.split("/")[2], timeout=10)) as connection:
        connection.request("GET", "/ws", headers=headers)
        return connection.getresponse().status


def test_pages_of_other_sites_cannot_reach_it(address):
    assert upgrade(address, "http://example.org") == 403
    assert upgrade(address, address.rstrip("/")) == 101
    assert upgrade(address, "http://localhost:8080") == 101


def test_the_function_is_there_each_time_it_is_asked_for(store):
    for _ in range(2):
        daskstem.explore(store).stop()


def test_a_notebook_shows_the_page(explorer):
    shown = explorer._repr_html_()
    assert f'src="{explorer.address}"' in shown
    assert explorer.address.startswith("http://127.0.0.1:")


def test_the_page_answers_while_a_notebook_is_open(store):
    notebook = new_notebook(
        cells=[
            new_code_cell(
                f"import asyncio, daskstem\nfrom urllib.request import urlopen\n"
                f"explorer = daskstem.explore({str(store)!r})\nexplorer"
            ),
            # the kernel's loop serves the page: asking must not hold it up
            new_code_cell(
                "answer = await asyncio.to_thread(urlopen, explorer.address)\n"
                "answer.status, b'daskstemExplorer' in answer.read()"
            ),
        ]
    )
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown, answered = (cell.outputs[-1]["data"] for cell in notebook.cells)
    assert shown["text/html"].startswith('<iframe src="http://127.0.0.1:')
    assert answered["text/plain"] == "(200, True)"


def test_a_tree_is_explored_like_its_store(store):
    tree = daskstem.open_series(store)
    one = explore(tree, name="mine")
    try:
        assert one.setting.series.name == "mine"
        found = one.setting.patterns.pattern(1, 2, 3)
        np.testing.assert_array_equal(found, tree["raw/patterns"][1, 2, 3].values)
    finally:
        one.stop()


def test_a_tree_in_memory_and_a_computed_one_can_be_explored(store):
    tree = daskstem.open_series(store)
    patterns = tree["raw/patterns"].values
    for made in (tree.load(), daskstem.open_series(store).map_over_datasets(lambda ds: ds + 0)):
        one = explore(made)
        try:
            found = one.setting.patterns.pattern(1, 2, 3)
            np.testing.assert_array_equal(found, patterns[1, 2, 3])
        finally:
            one.stop()


def test_a_frame_taken_out_of_its_series_is_refused_with_the_way_to_keep_it(store):
    tree = daskstem.open_series(store).isel(frame=0)
    with pytest.raises(InputError, match=r"isel\(frame=\[0\]\)"):
        explore(tree)


def test_ctrl_c_ends_it_quietly(store):
    command = [sys.executable, "-m", "daskstem", "explore", str(store), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--no-browser"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout.readline().startswith("explorer: ")
    process.send_signal(signal.SIGINT)
    told, complained = process.communicate(timeout=20)
    assert (told.strip(), complained, process.returncode) == ("stopped", "", 0)


def refused(*arguments):
    with pytest.raises(InputError) as told:
        CliRunner().invoke(main, [str(a) for a in arguments], standalone_mode=False,
                           catch_exceptions=False)  # fmt: skip
    return str(told.value)


def test_bad_input_is_refused_in_one_line(tmp_path, store, monkeypatch):
    monkeypatch.setattr("daskstem.run.workers.PATIENCE", "1s")
    assert "no store at" in refused("explore", tmp_path / "absent.zarr", "--no-browser")
    wrong = tmp_path / "absent"
    assert "no folder" in refused("explore", store, "--no-browser", "--export-folder", wrong)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} is taken" in refused("explore", store, "--no-browser", "--port", port)
    unknown = ("--scheduler", "tcp://127.0.0.1:9")
    assert "no scheduler answers" in refused("explore", store, "--no-browser", *unknown)


@pytest.mark.slow
def test_a_cluster_reads_whole_frames(store):
    chromium()
    settings = {"dashboard_address": "127.0.0.1:0", "host": "127.0.0.1", "protocol": "tcp"}
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, **settings) as cluster,
        Client(cluster) as client,
        served(store, "--scheduler", cluster.scheduler_address) as address,
        browser() as started,
    ):
        page = Explored.opened(started, address).settled()
        page.choose("inner", 0).choose("outer", 3)
        patterns = daskstem.open_series(store)["raw/patterns"].values[0]
        y, x = np.ogrid[:16, :18]
        seen = np.hypot(y - 7.5, x - 8.5) <= 3
        sums = patterns[:, :, seen].sum(axis=-1, dtype=float)
        shades = page.image("scan").astype(float)
        # brighter by as much as there are more counts, between the clipped ends
        inside = (shades > 1) & (shades < 255)
        assert np.corrcoef(sums[inside], shades[inside])[0, 1] > 0.999
        assert not page.complaints
        names = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_prefixes))
        assert "measured_block" in names
