"""What chunks, codecs and ways of reading cost: ``python tests/benchmarks/layout.py STORE``.

Takes one shard of a store, as it is and thinned to 1/40 of its counts, and prints rates in GB
of patterns per second of one core's processor time, the best of a few runs each.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr
from numcodecs import blosc
from zarr.codecs import BloscCodec, Crc32cCodec

from daskstem.io.shards import shards_of
from daskstem.kernels.imaging import add_patterns

LAYOUTS = (
    (4, "lz4", 5, "bitshuffle"),
    (2, "lz4", 5, "bitshuffle"),
    (8, "lz4", 5, "bitshuffle"),
    (4, "lz4", 5, "shuffle"),
    (4, "zstd", 1, "bitshuffle"),
    (4, "zstd", 3, "bitshuffle"),
)
PIPELINES = {
    "zarr-python": "zarr.core.codec_pipeline.BatchedCodecPipeline",
    "zarrs": "zarrs.ZarrsCodecPipeline",
}
ROW = "{:>7} {:>5} {:>17} {:>7.2f} {:>6.2f} {:>6.2f} {:>7.2f} {:>8.2f}"


def seconds(function, runs=4):
    """Return the least processor time of a few runs."""
    found = []
    for _ in range(runs):
        started = time.process_time()
        function()
        found.append(time.process_time() - started)
    return min(found)


def created(folder, values, side, codec, level, shuffle):
    """Return an empty array of one shard."""
    packing = BloscCodec(cname=codec, clevel=level, shuffle=shuffle, typesize=2)
    return zarr.create_array(
        folder / f"{time.monotonic_ns()}.zarr", shape=values.shape, shards=values.shape,
        chunks=(1, side, side, *values.shape[3:]), dtype=values.dtype,
        compressors=[packing, Crc32cCodec()], config={"write_empty_chunks": True},
    )  # fmt: skip


def measured(array, values):
    """Return compression, rates of writing, reading, summing, and ms for one pattern."""
    shards = shards_of(array)
    whole = tuple(slice(0, n) for n in values.shape)
    one = (slice(0, 1), slice(13, 14), slice(9, 10), *whole[3:])
    size = values[0, 0, 0].size
    total, largest = np.zeros(size), np.zeros(size, values.dtype)
    room, pattern = np.empty_like(values), np.empty_like(values[:1, :1, :1])

    def summed():
        for _, piece in shards.pieces(whole):
            add_patterns(piece.reshape(-1, size), total, largest)

    gigabytes = values.nbytes / 1e9
    writing = gigabytes / seconds(lambda: shards.write(whole, values), 2)
    packed = sum(
        path.stat().st_size for path in (shards.folder / "c").rglob("0") if path.is_file()
    )
    return (
        values.nbytes / packed,
        writing,
        gigabytes / seconds(lambda: shards.read_into(whole, room)),
        gigabytes / seconds(summed),
        1e3 * seconds(lambda: shards.read_into(one, pattern), 8),
    )


def compare_pipelines(folder, values):
    """Print what Zarr's own ways take for the same."""
    gigabytes = values.nbytes / 1e9
    for name, path in PIPELINES.items():
        with zarr.config.set({"codec_pipeline.path": path, "threading.max_workers": 1}):
            array = created(folder, values, *LAYOUTS[0])
            writing = gigabytes / seconds(lambda a=array: a.__setitem__(..., values), 2)
            reading = gigabytes / seconds(lambda a=array: a[...])
            one = 1e3 * seconds(lambda a=array: a[0, 13, 9], 8)
        print(f"{name}: write {writing:.2f}, read {reading:.2f} GB/s, one pattern {one:.2f} ms")


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    store = parser.parse_args().store
    blosc.use_threads = False
    patterns = zarr.open_array(store / "raw" / "patterns", mode="r")
    shards = shards_of(patterns)
    shape = shards.shard_shape
    dense = np.empty(shape, patterns.dtype)
    shards.read_into(tuple(slice(0, n) for n in shape), dense)
    thinned = np.random.default_rng(0).binomial(dense, 1 / 40).astype(dense.dtype)
    print(" counts chunk             codec smaller  write   read  summed  one (ms)")
    with tempfile.TemporaryDirectory(dir=store.parent) as folder:
        for values in (dense, thinned):
            for layout in LAYOUTS:
                found = measured(created(Path(folder), values, *layout), values)
                side, codec, level, shuffle = layout
                print(
                    ROW.format(f"{values.mean():.2g}", side, f"{codec}-{level} {shuffle}", *found)
                )
        compare_pipelines(Path(folder), dense)


if __name__ == "__main__":
    main()
