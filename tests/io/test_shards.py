import itertools

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec

from daskstem.io.layout import ArraySpec, writable
from daskstem.io.shards import DamagedShardError, MissingShardError, shards_of

DIMS = ("frame", "scan_y", "scan_x", "q_x")
NUMBERS = itertools.count()


def created(folder, shape=(2, 9, 10, 3), *, dtype="u2", chunk=2, shard=4):
    """Return an empty array laid out as the store does; without shards where ``shard`` is 0."""
    spec = ArraySpec(
        DIMS, shape, np.dtype(dtype), chunks=(1, chunk, chunk, shape[3]),
        shards=(1, shard, shard, shape[3]) if shard else None,
    )  # fmt: skip
    return spec.create(zarr.create_group(folder / f"{next(NUMBERS)}.zarr"), "x")


def filled(array):
    """Fill an array with random counts, by Zarr, and return them."""
    values = np.random.default_rng(0).poisson(3, array.shape).astype(array.dtype)
    writable(array)[...] = values
    return values


def whole(array):
    return tuple(slice(0, n) for n in array.shape)


def shard_regions(array):
    """Return the regions of all shards, cut off at the array's end."""
    files = array.shards or array.chunks
    counts = [-(-n // s) for n, s in zip(array.shape, files, strict=True)]
    for index in np.ndindex(*counts):
        box = zip(index, files, array.shape, strict=True)
        yield tuple(slice(i * s, min((i + 1) * s, n)) for i, s, n in box)


def spans(size):
    return st.tuples(st.integers(0, size), st.integers(0, size)).map(lambda b: slice(*sorted(b)))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shape=st.tuples(*(st.integers(1, 9) for _ in range(4))),
       chunk=st.sampled_from([1, 2, 3]), times=st.sampled_from([0, 1, 2, 3]),
       dtype=st.sampled_from(["u1", "u2", "i4", "f4", "f8", "?"]))  # fmt: skip
def test_any_region_is_what_zarr_reads(tmp_path_factory, data, shape, chunk, times, dtype):
    folder = tmp_path_factory.mktemp("any")
    array = created(folder, shape, dtype=dtype, chunk=chunk, shard=chunk * times)
    values = filled(array)
    region = data.draw(st.tuples(*(spans(n) for n in shape)))
    shards = shards_of(array)
    np.testing.assert_array_equal(shards.read(region), values[region])
    seen = np.zeros(shape, int)
    for where, piece in shards.pieces(region):
        np.testing.assert_array_equal(piece, values[where])
        seen[where] += 1
    expected = np.zeros(shape, int)
    expected[region] = 1
    np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("pipeline", ["zarr.core.codec_pipeline.BatchedCodecPipeline",
                                      "zarrs.ZarrsCodecPipeline"])  # fmt: skip
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shard", [4, 0])
def test_what_is_written_is_plain_zarr(tmp_path, pipeline, dtype, shard):
    array = created(tmp_path, dtype=dtype, shard=shard)
    values = np.random.default_rng(0).poisson(3, array.shape).astype(dtype)
    values[0, :5] = 0
    assert all(shards_of(array).write(r, values[r]) for r in shard_regions(array))
    with zarr.config.set({"codec_pipeline.path": pipeline}):
        plain = zarr.open_array(array.store_path.store.root / "x", mode="r")
        np.testing.assert_array_equal(plain[...], values)
        np.testing.assert_array_equal(plain[1, 3:8, 2:9], values[1, 3:8, 2:9])
    np.testing.assert_array_equal(shards_of(array).read(whole(array)), values)


def test_chunks_lie_in_the_file_as_zarr_packs_them(tmp_path):
    ours, theirs = created(tmp_path, (1, 4, 4, 3)), created(tmp_path, (1, 4, 4, 3))
    values = filled(theirs)
    assert shards_of(ours).write(whole(ours), values)
    one, other = (shards_of(a).folder / "c/0/0/0/0" for a in (ours, theirs))
    # the order of the chunks in the file is free; their bytes and the index's place are not
    assert one.stat().st_size == other.stat().st_size
    for index in np.ndindex(2, 2):
        packed = []
        for path in (one, other):
            content = path.read_bytes()
            places = np.frombuffer(content[-68:-4], "<u8").reshape(2, 2, 2)
            offset, length = places[index]
            packed.append(content[offset : offset + length])
        assert packed[0] == packed[1]


@settings(max_examples=40, deadline=None)
@given(
    place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), shard=st.sampled_from([4, 0])
)
def test_no_flipped_bit_goes_unseen(tmp_path_factory, place, bit, shard):
    array = created(tmp_path_factory.mktemp("rot"), (1, 4, 4, 3), shard=shard)
    filled(array)
    shards = shards_of(array)
    path = shards.folder / "c/0/0/0/0"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(DamagedShardError) as caught:
        shards.read(whole(array))
    assert caught.value.key == "c/0/0/0/0"


@pytest.mark.parametrize("length", [0, 10, 67, 100])
def test_a_file_cut_short_is_damaged(tmp_path, length):
    array = created(tmp_path, (1, 4, 4, 3))
    filled(array)
    path = shards_of(array).folder / "c/0/0/0/0"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedShardError, match="checksum of its index"):
        shards_of(array).read(whole(array))


@pytest.mark.parametrize("length", [0, 3, 20])
def test_a_chunk_cut_short_is_damaged(tmp_path, length):
    array = created(tmp_path, (1, 4, 4, 3), shard=0)
    filled(array)
    path = shards_of(array).folder / "c/0/1/0/0"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedShardError, match="checksum") as caught:
        shards_of(array).read(whole(array))
    assert caught.value.key == "c/0/1/0/0"


def test_a_lost_file_is_missing_and_a_folder_in_its_place_damaged(tmp_path):
    array = created(tmp_path, (1, 4, 4, 3))
    filled(array)
    path = shards_of(array).folder / "c/0/0/0/0"
    path.unlink()
    with pytest.raises(MissingShardError) as caught:
        shards_of(array).read(whole(array))
    assert caught.value.key == "c/0/0/0/0"
    path.mkdir()
    with pytest.raises(DamagedShardError):
        shards_of(array).read(whole(array))


def test_chunks_left_out_are_the_fill_value_as_the_format_says(tmp_path):
    array = created(tmp_path, (1, 4, 4, 3))
    values = np.zeros(array.shape, "u2")
    values[0, 2, 3] = 7
    array.with_config({"write_empty_chunks": False})[...] = values
    np.testing.assert_array_equal(shards_of(array).read(whole(array)), values)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    present=st.sets(st.integers(0, 24), min_size=1),
    at_once=st.sampled_from([1, 150, 2**20]),
)
def test_chunks_are_read_wherever_they_lie_in_the_file(tmp_path_factory, data, present, at_once):
    array = created(tmp_path_factory.mktemp("order"), (1, 10, 10, 3), shard=10)
    values = np.zeros(array.shape, "u2")
    for number in present:
        y, x = divmod(number, 5)
        values[0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] = number + 1
    # Zarr leaves out chunks of zeros, and puts the others in an order of its own
    array.with_config({"write_empty_chunks": False})[...] = values
    region = data.draw(st.tuples(*(spans(n) for n in array.shape)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daskstem.io.shards._AT_ONCE", at_once)
        np.testing.assert_array_equal(shards_of(array).read(region), values[region])


def test_what_is_no_whole_shard_is_left_to_zarr(tmp_path):
    array = created(tmp_path)
    shards = shards_of(array)
    for region in (
        (slice(0, 1), slice(0, 3), slice(0, 4), slice(0, 3)),
        (slice(0, 1), slice(1, 5), slice(0, 4), slice(0, 3)),
        (slice(0, 2), slice(0, 4), slice(0, 4), slice(0, 3)),
    ):
        assert not shards.write(region, np.ones([s.stop - s.start for s in region], "u2"))
    assert not list(shards.folder.rglob("c/**/0"))


def test_a_failed_write_leaves_nothing(tmp_path):
    array = created(tmp_path, (1, 4, 4, 3))
    shards = shards_of(array)
    with pytest.raises(ValueError, match="broadcast"):
        shards.write(whole(array), np.ones((1, 4, 4, 5), "u2"))
    assert [path for path in shards.folder.rglob("*") if path.is_file()] == [
        shards.folder / "zarr.json"
    ]


BYTES, BLOSC, CRC = BytesCodec(endian="little"), BloscCodec(typesize=2), Crc32cCodec()
OTHERS = {
    "no checksum": ShardingCodec(chunk_shape=(2, 2), codecs=[BYTES, BLOSC]),
    "another byte order": ShardingCodec(
        chunk_shape=(2, 2), codecs=[BytesCodec(endian="big"), BLOSC, CRC]
    ),
    "index first": ShardingCodec(
        chunk_shape=(2, 2), codecs=[BYTES, BLOSC, CRC], index_location="start"
    ),
    "index without checksum": ShardingCodec(
        chunk_shape=(2, 2), codecs=[BYTES, BLOSC, CRC], index_codecs=[BYTES]
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_layout_is_left_to_zarr(tmp_path, what):
    array = zarr.create_array(
        tmp_path / "x.zarr", shape=(4, 4), chunks=(4, 4), dtype="u2",
        serializer=OTHERS[what], compressors=None, filters=None,
    )  # fmt: skip
    assert shards_of(array) is None


def test_arrays_without_shards_or_files_are_left_to_zarr(tmp_path):
    assert shards_of(zarr.create_array(tmp_path / "x.zarr", shape=(4, 4), dtype="u2")) is None
    in_memory = zarr.create_array({}, shape=(4, 4), shards=(4, 4), chunks=(2, 2), dtype="u2")
    assert shards_of(in_memory) is None
