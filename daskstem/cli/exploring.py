"""The explorer on the command line: served until it is stopped."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from daskstem.explorer.server import explore
from daskstem.run.workers import connected, resources


def serve(
    store: str,
    *,
    port: int,
    no_browser: bool,
    scheduler: str | None,
    export_folder: Path | None,
    origins: Sequence[str],
) -> None:
    """Serve the page of a store, print its address, and open it unless told not to."""
    with ExitStack() as stack:
        client = None
        if scheduler is not None:
            client = stack.enter_context(connected(resources(scheduler=scheduler)))
        explorer = explore(
            store, port=port, client=client, export_folder=export_folder, origins=origins
        )
        try:
            # whoever reads the address may stop it from then on
            click.echo(f"explorer: {explorer.address}")
            if not no_browser:
                explorer.server.io_loop.add_callback(click.launch, explorer.address)
            explorer.server.io_loop.start()
        except KeyboardInterrupt:
            click.echo("stopped")
        finally:
            explorer.stop()
