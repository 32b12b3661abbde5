"""Write the report of a store, or of two runs side by side, as one web page."""

import os
import tempfile
from pathlib import Path

from daskstem.io.store import open_series
from daskstem.run.comparison import compared
from daskstem.run.report_content import gather
from daskstem.schema.errors import InputError


def write_report(
    store: str | Path, out: str | Path | None = None, *, compare: str | Path | None = None
) -> Path:
    """Write the report of a store as one web page.

    Parameters
    ----------
    store
        Path or URL of a store; any of its steps may be missing.
    out
        The page to write; ``<name of the store>_report.html`` beside the store if None.
    compare
        Another store of the same scan: the page then shows the clusters of both, ``compare``
        first, and what differs.

    Returns
    -------
    Path of the page. It is complete or absent.

    Raises
    ------
    InputError
        If a store cannot be opened or holds no patterns, two stores are not of one scan, or
        the page cannot be written.
    """
    ending = "report" if compare is None else "comparison"
    target = _target(store, out, ending)
    # matplotlib takes a second to import; a wrong path is refused before that.
    if compare is None:
        content = gather(open_series(store), store=str(store))
        from daskstem.view.report import page

        _write(target, page(content))
    else:
        both = compared(open_series(compare), open_series(store), (str(compare), str(store)))
        from daskstem.view.comparison_page import comparison_page

        _write(target, comparison_page(both))
    return target


def _target(store: str | Path, out: str | Path | None, ending: str) -> Path:
    if out is None and "://" in str(store):
        raise InputError(f"{store} is not a local folder; say where to write with out")
    target = Path(out or Path(store).with_name(f"{Path(store).stem}_{ending}.html"))
    if target.is_dir():
        raise InputError(f"{target} is a folder; give the name of a page to write")
    if not target.resolve().parent.is_dir():
        raise InputError(f"no folder {target.parent}; create it, or write the report elsewhere")
    return target


def _write(target: Path, text: str) -> None:
    """Write a text file at once: whoever looks finds the former one or the whole new one."""
    handle, name = tempfile.mkstemp(dir=target.resolve().parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes files that only their owner can read; a report is for others too.
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
