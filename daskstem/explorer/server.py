"""The explorer's server: a Bokeh server on this machine, for a terminal or a notebook."""

import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import xarray as xr
from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.server import Server

from daskstem.explorer import cutting, reading
from daskstem.explorer.app import Setting, open_page
from daskstem.explorer.reading import Patterns, Readers
from daskstem.explorer.series import Series
from daskstem.io.store import open_series
from daskstem.schema.errors import InputError

LOCALHOST: Final = "127.0.0.1"
_HEIGHT: Final = 760
"""Of the page in a notebook, in screen pixels."""


_PAGE_LIFE_MS: Final = 600_000
"""How long a page that has lost its connection may come back."""


@dataclass(frozen=True, eq=False)
class Explorer:
    """A running explorer; a notebook shows its page.

    Attributes
    ----------
    address
        Where the browser finds it.
    """

    address: str
    server: Any
    setting: Setting

    def stop(self) -> None:
        """End the server; its pages no longer answer."""
        self.server.stop()
        self.server.unlisten()
        self.setting.close()

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{self.address}" width="100%" height="{_HEIGHT}" '
            f'allow="clipboard-write" style="border: 0"></iframe>'
            f'<p><a href="{self.address}" target="_blank">{self.address}</a></p>'
        )


def explore(
    tree_or_store: xr.DataTree | str | Path,
    *,
    port: int = 0,
    client: Any = None,
    export_folder: str | Path | None = None,
    origins: Sequence[str] = (),
    name: str | None = None,
) -> Explorer:
    """Look at a series in the browser.

    The page is served by this process, to this machine only. In a notebook it is shown where
    the call is the last line of a cell; elsewhere keep Bokeh's loop running, as ``daskstem
    explore`` does.

    Parameters
    ----------
    tree_or_store
        A tree from ``open_series``, or the path or URL of a store.
    port
        Port to listen on; 0 takes a free one.
    client
        A Dask client; its workers then read whole frames. They must see the store under the
        same path.
    export_folder
        Where chosen clusters are written; the working directory by default.
    origins
        ``HOST:PORT`` of other addresses under which the browser finds the page, such as the
        near end of an SSH tunnel.
    name
        What the page calls the series; the name of the store by default.

    Returns
    -------
    Explorer, which a notebook shows as the page.

    Raises
    ------
    InputError
        If there is no such store, the tree holds no patterns, the folder does not exist, or
        the port is taken.

    Examples
    --------
    >>> import daskstem, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = daskstem.simulate(f"{folder}/s.zarr", shape=(1, 16, 16, 32, 32))
    ...     explorer = daskstem.explore(store)
    ...     explorer.stop()
    >>> explorer.address.startswith("http://127.0.0.1:")
    True
    """
    if isinstance(tree_or_store, xr.DataTree):
        tree, called = tree_or_store, name or tree_or_store.name or "series"
    else:
        tree, called = open_series(tree_or_store), name or Path(str(tree_or_store)).stem
    folder = Path.cwd() if export_folder is None else Path(export_folder)
    if not folder.is_dir():
        raise InputError(f"no folder {folder} to export to; create it or choose another")
    series = Series.of(tree, name=str(called))
    threads = Readers(ThreadPoolExecutor(_cores(), thread_name_prefix="explore-read"), _cores())
    patterns = Patterns.of(series.patterns, threads, None if client is None else _workers(client))
    setting = Setting(series, patterns, folder.resolve())
    server = _server(partial(open_page, setting), port, origins)
    server.start()
    for warm_up in (reading.warm_up, cutting.warm_up):
        threads.executor.submit(warm_up)
    return Explorer(f"http://{LOCALHOST}:{server.port}/", server, setting)


def _server(fill: Callable[[Any], None], port: int, origins: Sequence[str]) -> Server:
    # the address is part of what the browser must have come from, so the port must be known
    port = _bindable(port)
    return Server(
        {"/": Application(FunctionHandler(fill))},
        address=LOCALHOST,
        port=port,
        allow_websocket_origin=[f"{LOCALHOST}:{port}", f"localhost:{port}", *origins],
        # a page lives on where a laptop sleeps for a while
        unused_session_lifetime_milliseconds=_PAGE_LIFE_MS,
    )


def _bindable(port: int) -> int:
    """Return the port if it is free, or a free one for 0."""
    with socket.socket() as probe:
        # as the server does: a port that was in use a moment ago is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError as error:
            raise InputError(
                f"port {port} is taken ({error.strerror}); choose another with --port, or 0 for "
                f"a free one"
            ) from error
        return int(probe.getsockname()[1])


def _workers(client: Any) -> Readers:
    threads = sum(client.nthreads().values())
    return Readers(client.get_executor(pure=False), max(1, threads))


def _cores() -> int:
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
