"""Draw the picture at the top of the README: ``python notebooks/images/overview.py``."""

import tempfile
from pathlib import Path

from matplotlib.figure import Figure

import daskstem
from daskstem import view

with tempfile.TemporaryDirectory() as folder:
    store = daskstem.simulate(
        f"{folder}/gold.zarr", shape=(1, 80, 80, 96, 96), seed=5, counts_per_pixel=0.1
    )
    daskstem.run_recipe("default", store, quiet=True)
    tree = daskstem.open_series(store)
    clusters = tree["clusters"].to_dataset()
    largest = clusters.isel(cluster=int(clusters["n_positions"].values.argmax())).compute()
    at = {"scan_y": int(largest["seed_y"]), "scan_x": int(largest["seed_x"])}

    figure = Figure(figsize=(13, 3.4), layout="constrained")
    similar, labeled, single, mean = figure.subplots(1, 4)
    frame = tree.isel(frame=0)
    view.scan_map(
        frame["similarity/mean_similarity"], ax=similar, title="how alike neighbors' patterns are"
    )
    label = frame["segments/label"]
    view.label_map(label, ax=labeled, title=f"{int(label.max()) + 1} clusters")
    one = frame["raw/patterns"].isel(at)
    view.pattern(one, ax=single, title="one pattern of a cluster")
    count = int(largest["n_positions"])
    view.pattern(largest["pattern"], ax=mean, title=f"mean of that cluster's {count} patterns")
    figure.savefig(Path(__file__).with_name("overview.png"), dpi=110, metadata={"Software": None})
