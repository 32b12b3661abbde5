"""Where a product came from: written beside it, compared when a run is continued."""

import datetime
import hashlib
import json
import socket
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

SCHEMA_VERSION: Final = 1
"""Raised whenever a store written now could not be read by the version before."""


@cache
def package_version() -> str:
    """Return the installed version of daskstem."""
    return version("daskstem")


def digest(content: Mapping[str, Any]) -> str:
    """Return a short hash of JSON-like content, equal for equal content.

    Examples
    --------
    >>> digest({"a": 1, "b": (2.0, 3.0)}) == digest({"b": [2.0, 3.0], "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return a short hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def provenance(
    *, step: str, parameters: Mapping[str, Any], source: str, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe the making of a product.

    Parameters
    ----------
    step
        Name of the step.
    parameters
        Its parameters, JSON-like.
    source
        Hash of all that it was made from.
    defaults
        The step's own values of parameters.

    Returns
    -------
    Attributes for the product's group. ``key`` is the same for, and only for, the same
    step with the same parameters on the same source. ``chosen`` names the parameters that
    are not the defaults.
    """
    chosen = [n for n, value in parameters.items() if _plain(value) != _plain(defaults.get(n))]
    return {
        "step": step,
        "parameters": dict(parameters),
        "chosen": chosen,
        "source": source,
        "key": digest({"step": step, "parameters": dict(parameters), "source": source}),
        "version": package_version(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
    }


def _plain(value: object) -> object:
    # as JSON, in which attributes are kept, has it
    return list(value) if isinstance(value, tuple) else value
