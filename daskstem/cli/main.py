"""The ``daskstem`` command.

Nothing heavy is imported before a command needs it: ``daskstem --help`` answers at once.
"""

import sys
from pathlib import Path
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from daskstem.cli.completion import recipes, settings, source_files, stores
from daskstem.cli.help import SECTIONS, Group, in_one_line
from daskstem.cli.options import floats, resource_options, whole_numbers
from daskstem.cli.steps import StepGroup
from daskstem.schema.errors import InputError

FIRST_LOOK, YOUR_DATA, COMPUTING, RESULTS = SECTIONS
RECIPE = click.argument("recipe", shell_complete=recipes)
# a text: as a path, a URL would lose one of its slashes
STORE = click.argument("store", shell_complete=stores)
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="STEP.PARAMETER=VALUE",
    shell_complete=settings,
    help="Change a parameter of the recipe; may be given several times.",
)


def entry() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    try:
        main(prog_name="daskstem", standalone_mode=False)
    except InputError as error:
        click.echo(f"daskstem: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"daskstem: {in_one_line(error)}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("daskstem: stopped; the same command continues where it was", err=True)
        sys.exit(130)


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99},
    examples=[
        "daskstem demo                               # simulated gold, from patterns to report",
        "daskstem convert scan_master.h5 scan.zarr   # your own data, whatever its format",
        "daskstem run default scan.zarr              # clusters and their mean patterns",
        "daskstem report scan.zarr                   # one page with pictures",
    ],
    epilog="""Every command tells its options and shows examples with --help. Tab completes after
    'eval "$(_DASKSTEM_COMPLETE=bash_source daskstem)"' (or zsh_source, fish_source).""",
)
@click.version_option(package_name="daskstem")
def main() -> None:
    """Clusters and mean patterns from 4D-STEM and 5D-STEM series of any size.

    STORE is a folder that ends in .zarr: 'convert' makes it from a microscope's files, every
    other command works on it. RECIPE is a list of steps: one that comes along (default,
    series, kmeans, tilt, reference) or a TOML file.
    """


def _next(command: str) -> None:
    # beside what scripts read
    click.echo(f"next: daskstem {command}", err=True)


@main.command(
    section=FIRST_LOOK,
    examples=[
        "daskstem demo",
        "daskstem demo --out somewhere --memory-limit 2GiB",
    ],
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("daskstem_demo"),
              show_default=True, help="Folder for the store and the report.")  # fmt: skip
@resource_options
def demo(out: Path, **available: Any) -> None:
    """Simulate, find clusters, compare with the truth, report."""
    from daskstem.cli.tables import show_summary
    from daskstem.run.demo import run_demo

    result = run_demo(out, **available)
    show_summary(result.summary)
    click.echo(result.verdict)
    click.echo(f"report: {result.report}")


@main.command(
    section=FIRST_LOOK,
    examples=[
        "daskstem simulate gold.zarr",
        "daskstem simulate gold.zarr --shape 1 128 128 64 64 --counts-per-pixel 0.5",
        "daskstem simulate tilted.zarr --tilt-deg -30 30 --shape 61 48 48 128 128",
    ],
)
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
    """Simulate gold particles on a film, with the truth."""
    from daskstem.run.simulate import simulate as run_simulate

    click.echo(f"store: {run_simulate(store, quiet=False, **given)}")
    _next(f"run default {store}")


@main.command(
    section=YOUR_DATA,
    examples=[
        "daskstem convert scan_master.h5 scan.zarr",
        "daskstem convert 'frames/*.mib' series.zarr --frame-dim time --frame-values 0,13,26",
        "daskstem convert scan.raw scan.zarr --shape 256,256,192,192 --dtype uint16",
        "daskstem convert scan.mib scan.zarr --scan-step 0.5 --q-step 0.021 --beam-energy 300",
    ],
)
@click.argument("sources", nargs=-1, required=True, shell_complete=source_files)
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
@click.option("--scan-step", "scan_step_nm", callback=floats, metavar="NM",
              help="Distance of two positions in nm; ROWS,COLUMNS if they differ.")  # fmt: skip
@click.option("--q-step", callback=floats, metavar="Q", help="Size of a detector pixel.")
@click.option(
    "--q-units",
    default="1/angstrom",
    show_default=True,
    type=click.Choice(["1/angstrom", "1/nm", "mrad"]),
    help="Unit of --q-step.",
)
@click.option("--beam-energy", "beam_energy_kev", type=float, metavar="KEV",
              help="Energy of the electrons in keV.")  # fmt: skip
@resource_options
def convert(sources: tuple[str, ...], store: str, **given: Any) -> None:
    """Convert microscope files into a store.

    The format is told from the file. Several SOURCES, or a pattern in quotes, make a series:
    one frame each. A conversion that was stopped goes on with the same command.
    """
    from daskstem.run.convert import convert as run_convert

    click.echo(f"store: {run_convert(sources, store, **given)}")
    _next(f"run default {store}")


@main.command(
    section=YOUR_DATA,
    examples=[
        "daskstem info scan.zarr",
    ],
)
@STORE
def info(store: str) -> None:
    """Tell what is in a store and what is finished."""
    from daskstem.cli.tables import show_store

    show_store(store)


@main.command(
    section=COMPUTING,
    examples=[
        "daskstem plan default scan.zarr",
        "daskstem plan series scan.zarr --memory-limit 4GiB",
    ],
)
@RECIPE
@STORE
@SET
@resource_options
def plan(recipe: str, store: str, settings: tuple[str, ...], **available: Any) -> None:
    """Tell memory, disk and tasks of a recipe before it runs."""
    from daskstem.cli.tables import show_plan
    from daskstem.run.execute import plan_recipe

    show_plan(plan_recipe(recipe, store, settings=settings, **available))


@main.command(
    section=COMPUTING,
    examples=[
        "daskstem run default scan.zarr",
        "daskstem run default scan.zarr --set grow.threshold=0.9 --memory-limit 4GiB",
        "daskstem run own.toml scan.zarr --scheduler tls://host:8786",
    ],
)
@RECIPE
@STORE
@SET
@resource_options
def run(recipe: str, store: str, settings: tuple[str, ...], **available: Any) -> None:
    """Run a recipe on a store.

    RECIPE is default, series, kmeans, tilt, reference or a TOML file with one table per step.
    What is there already is kept; a run that was stopped goes on where it was.
    """
    from daskstem.cli.tables import show_summary
    from daskstem.run.execute import run_recipe

    show_summary(run_recipe(recipe, store, settings=settings, **available))
    _next(f"report {store}")


@main.command(
    section=RESULTS,
    examples=[
        "daskstem report scan.zarr",
        "daskstem report --compare former.zarr scan.zarr --out both.html",
    ],
)
@STORE
@click.option("--out", type=click.Path(path_type=Path), help="The page to write.")
@click.option("--compare", metavar="FORMER", shell_complete=stores,
              help="A store of the same scan to show beside STORE.")  # fmt: skip
def report(store: str, out: Path | None, compare: str | None) -> None:
    """Write one page with pictures, warnings and provenance."""
    from daskstem.run.report import write_report

    click.echo(f"report: {write_report(store, out, compare=compare)}")


@main.command(
    section=RESULTS,
    examples=[
        "daskstem explore scan.zarr",
        "ssh -L 5006:localhost:5006 workstation daskstem explore scan.zarr --no-browser",
    ],
)
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
    """Look at a store in the browser.

    Maps, patterns, detectors to drag, and clusters at any threshold. The page is served to this
    machine only; Ctrl-C ends it.
    """
    from daskstem.cli.exploring import serve

    serve(store, **given)


@main.command(
    section=RESULTS,
    examples=[
        "daskstem export tilted.zarr particles --to smv",
        "daskstem export tilted.zarr particles --to pets --particles 0,3 --voltage-kv 200",
    ],
)
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
    """Write extracted particles as files for 3D electron diffraction.

    The particles are those that the step 'extract' took from a tilt series, for instance in
    the recipe 'tilt'.
    """
    from daskstem.run.export import export as run_export

    for folder in run_export(store, out, **given):
        click.echo(f"particle: {folder}")


@main.group(
    cls=StepGroup,
    section=COMPUTING,
    examples=["daskstem step grow --help", "daskstem step grow scan.zarr --threshold 0.9"],
)
def step() -> None:
    """Run a single step, after those that are there."""
