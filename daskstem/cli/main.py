"""The ``daskstem`` command.

Nothing heavy is imported before a command needs it: ``daskstem --help`` answers at once.
"""

import sys
from pathlib import Path
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from daskstem.cli.options import floats, resource_options, whole_numbers
from daskstem.cli.steps import StepGroup
from daskstem.schema.errors import InputError

RECIPE = click.argument("recipe")
# a text: as a path, a URL would lose one of its slashes
STORE = click.argument("store")
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="STEP.PARAMETER=VALUE",
    help="Change a parameter of the recipe; may be given several times.",
)


def entry() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    try:
        main(standalone_mode=False)
    except InputError as error:
        click.echo(f"daskstem: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"daskstem: {_in_one_line(error)}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("daskstem: stopped; the same command continues where it was", err=True)
        sys.exit(130)


def _in_one_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    more = "" if context is None else f"; see '{context.command_path} --help'"
    return " ".join(error.format_message().split()).rstrip(".") + more


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99})
@click.version_option(package_name="daskstem")
def main() -> None:
    """Clusters and mean patterns from 4D-STEM and 5D-STEM series of any size."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("daskstem_demo"),
              show_default=True, help="Folder for the store and the report.")  # fmt: skip
@resource_options
def demo(out: Path, **available: Any) -> None:
    """Simulate a series, find its clusters, compare them with the truth, write a report."""
    from daskstem.cli.tables import show_summary
    from daskstem.run.demo import run_demo

    result = run_demo(out, **available)
    show_summary(result.summary)
    click.echo(result.verdict)
    click.echo(f"report: {result.report}")


@main.command()
@STORE
@click.option("--shape", type=int, nargs=5, default=(3, 64, 64, 96, 96), show_default=True,
              help="Frames, scan rows and columns, detector rows and columns.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--counts-per-pixel", default=2.0, show_default=True,
              help="Beam electrons per detector pixel and pattern.")  # fmt: skip
@click.option("--step-nm", default=1.0, show_default=True, help="Distance of two positions.")
@click.option("--probe-sigma", default=0.6, show_default=True, help="Probe's sigma, in steps.")
@click.option("--particle-radius", type=float, help="Mean radius at the end, in steps.")
@click.option("--hot-pixels", default=0, show_default=True, help="Number of hot pixels.")
@click.option("--descan-px", type=float, nargs=2, default=(0.0, 0.0), show_default=True,
              help="Beam shift over the scan, in detector rows and columns.")  # fmt: skip
@click.option("--birth-share", default=0.0, show_default=True,
              help="Share of the particles that nucleate after the first frame.")  # fmt: skip
@click.option("--drift-steps", type=float, nargs=2, default=(0.0, 0.0), show_default=True,
              help="Drift over the series, in scan rows and columns.")  # fmt: skip
@click.option("--tilt-deg", type=float, nargs=2, metavar="FIRST LAST",
              help="Tilt agglomerated crystals about the scan's rows, in degrees.")  # fmt: skip
@resource_options
def simulate(store: str, **given: Any) -> None:
    """Simulate gold particles on a film into STORE, with the truth beside the patterns."""
    from daskstem.run.simulate import simulate as run_simulate

    click.echo(f"store: {run_simulate(store, quiet=False, **given)}")


@main.command()
@click.argument("sources", nargs=-1, required=True)
@STORE
@click.option("--scan-shape", callback=whole_numbers(2), metavar="ROWS,COLUMNS",
              help="Scan of a file that does not say its own.")  # fmt: skip
@click.option("--dataset", help="Array inside an HDF5 file, an .npz or a Zarr store.")
@click.option("--shape", callback=whole_numbers(None), metavar="N,N,...",
              help="Shape of a raw binary file, slow to fast.")  # fmt: skip
@click.option("--dtype", help="Numbers in a raw binary file, such as uint16 or >u2.")
@click.option("--offset-bytes", default=0, help="Header of a raw binary file.")
@click.option("--reader", help="Reader to use, where the file's name does not tell.")
@click.option("--frame-dim", help="What counts the frames: time, tilt, temperature, dose, depth.")
@click.option("--frame-values", callback=floats, metavar="V,V,...", help="Its values.")
@resource_options
def convert(sources: tuple[str, ...], store: str, **given: Any) -> None:
    r"""Convert microscope files into STORE; several SOURCES make a series.

    \b
    daskstem convert scan_master.h5 scan.zarr
    daskstem convert 'frames/*.mib' series.zarr --frame-dim time --frame-values 0,13,26
    daskstem convert scan.raw scan.zarr --shape 256,256,192,192 --dtype uint16
    """
    from daskstem.run.convert import convert as run_convert

    click.echo(f"store: {run_convert(sources, store, **given)}")


@main.command()
@STORE
def info(store: str) -> None:
    """Say what is in STORE and what is finished."""
    from daskstem.cli.tables import show_store

    show_store(store)


@main.command()
@RECIPE
@STORE
@SET
@resource_options
def plan(recipe: str, store: str, settings: tuple[str, ...], **available: Any) -> None:
    """Say what RECIPE will take on STORE, before anything runs."""
    from daskstem.cli.tables import show_plan
    from daskstem.run.execute import plan_recipe

    show_plan(plan_recipe(recipe, store, settings=settings, **available))


@main.command()
@RECIPE
@STORE
@SET
@resource_options
def run(recipe: str, store: str, settings: tuple[str, ...], **available: Any) -> None:
    r"""Run RECIPE (a TOML file, or 'default' or 'reference') on STORE.

    What is there already is kept; a run that was stopped goes on where it was.

    \b
    daskstem run default scan.zarr
    daskstem run default scan.zarr --set grow.threshold=0.9 --memory-limit 4GiB
    """
    from daskstem.cli.tables import show_summary
    from daskstem.run.execute import run_recipe

    show_summary(run_recipe(recipe, store, settings=settings, **available))


@main.command()
@STORE
@click.option("--out", type=click.Path(path_type=Path), help="The page to write.")
def report(store: str, out: Path | None) -> None:
    """Write one page with pictures, parameters and provenance of STORE."""
    from daskstem.run.report import write_report

    click.echo(f"report: {write_report(store, out)}")


@main.command()
@STORE
@click.option("--port", default=5006, show_default=True, help="Port to listen on; 0: a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--scheduler", metavar="ADDRESS",
              help="A running Dask scheduler whose workers read whole frames.")  # fmt: skip
@click.option("--export-folder", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where chosen clusters are written [default: here].")  # fmt: skip
@click.option("--allow-origin", "origins", multiple=True, metavar="HOST:PORT",
              help="Another address the browser uses, such as that of an SSH tunnel.")  # fmt: skip
def explore(store: str, **given: Any) -> None:
    r"""Look at STORE in the browser: maps, patterns, detectors, clusters at any threshold.

    The page is served to this machine only. Ctrl-C ends it.

    \b
    daskstem explore scan.zarr
    ssh -L 5006:localhost:5006 workstation daskstem explore scan.zarr --no-browser
    """
    from daskstem.cli.exploring import serve

    serve(store, **given)


@main.command()
@STORE
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(["smv", "tiff", "mrc", "pets"]), required=True,
              help="smv for DIALS and XDS, pets for PETS.")  # fmt: skip
@click.option("--particles", callback=whole_numbers(None), metavar="N,N,...",
              help="Numbers of the particles [default: all].")  # fmt: skip
@click.option("--voltage-kv", type=float, help="Acceleration voltage, if STORE does not know it.")
@click.option("--q-step", type=float, help="Detector pixel in 1/angstrom, if STORE does not know.")
@click.option("--axis-deg", type=float, default=0.0, show_default=True,
              help="Tilt axis from the detector's rows towards its top.")  # fmt: skip
def export(store: str, out: Path, **given: Any) -> None:
    """Write the particles extracted from STORE into OUT, for 3D electron diffraction."""
    from daskstem.run.export import export as run_export

    for folder in run_export(store, out, **given):
        click.echo(f"particle: {folder}")


@main.group(cls=StepGroup)
def step() -> None:
    """Run a single step on a store, after those that are there."""
