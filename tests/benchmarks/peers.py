"""Other programs to compare with, each in an environment of its own.

    python tests/benchmarks/peers.py install --into DIR    # once, a few minutes
    python tests/benchmarks/speed.py --peers DIR

They live apart because their dependencies exclude daskstem's: HyperSpy's .zspy wants zarr 2.
Which versions were measured stands in the table that speed.py prints.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

WANTED: Final = {
    "libertem": ("libertem",),
    "hyperspy": ("pyxem", "hyperspy", "zarr<3"),
    "py4dstem": ("py4DSTEM",),
}
"""Environments, and what is installed into each."""
VARIABLE: Final = "DASKSTEM_PEERS"
"""Names the folder of the environments where no ``--peers`` does."""


def install(into: Path) -> None:
    """Make the environments that are not there yet."""
    for name, packages in WANTED.items():
        if python_of(name, into) is not None:
            print(f"{name}: already in {into / name}")
            continue
        subprocess.run([sys.executable, "-m", "venv", str(into / name)], check=True)
        python = into / name / "bin" / "python"
        command = [str(python), "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(command, check=True)
        # told by this file that all went well
        (into / name / "complete").touch()
        print(f"{name}: installed into {into / name}")


def folder_of_peers(given: Path | None) -> Path | None:
    named = os.environ.get(VARIABLE)
    return given or (Path(named) if named else None)


def python_of(name: str, folder: Path | None) -> str | None:
    """Return the Python of a peer's environment, or None where it is not there."""
    if folder is None or not (folder / name / "complete").exists():
        return None
    return str(folder / name / "bin" / "python")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("install", help="make the environments")
    command.add_argument("--into", type=Path, required=True, help="folder of the environments")
    install(parser.parse_args().into.resolve())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
