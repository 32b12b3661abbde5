import itertools
from contextlib import contextmanager

import google_crc32c
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec

from daskstem.io.layout import ArraySpec, writable
from daskstem.io.packed_file import DamagedShardError, MissingShardError
from daskstem.io.shards import shards_of

DIMS = ("frame", "scan_y", "scan_x", "q_x")
NUMBERS = itertools.count()
BYTES, BLOSC, CRC = BytesCodec(endian="little"), BloscCodec(typesize=2), Crc32cCodec()


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


def read(array, region):
    values = np.empty([part.stop - part.start for part in region], array.dtype)
    shards_of(array).read_into(region, values)
    return values


def shard_regions(array):
    """Return the regions of all shards, cut off at the array's end."""
    files = array.shards or array.chunks
    counts = [-(-n // s) for n, s in zip(array.shape, files, strict=True)]
    for index in np.ndindex(*counts):
        box = zip(index, files, array.shape, strict=True)
        yield tuple(slice(i * s, min((i + 1) * s, n)) for i, s, n in box)


def spans(size):
    return st.tuples(st.integers(0, size), st.integers(0, size)).map(lambda b: slice(*sorted(b)))


@contextmanager
def reading(at_once, piece, address):
    """Read so many bytes at once, yield such pieces, with Blosc's function or without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daskstem.io.packed_file._AT_ONCE", at_once)
        patch.setattr("daskstem.io.shards._PIECE", piece)
        if not address:
            patch.setattr("daskstem.io.unpacking._address", lambda: 0)
        yield


# 64 values have their bits in one word: some lengths of a chunk are multiples, some are not
@settings(max_examples=120, deadline=None)
@given(data=st.data(), scan=st.tuples(*(st.integers(1, 9) for _ in range(3))),
       last=st.sampled_from([1, 3, 9, 16, 64]), chunk=st.sampled_from([1, 2, 3, 4]),
       times=st.sampled_from([0, 1, 2, 3]), address=st.booleans(),
       at_once=st.sampled_from([1, 150, 2**20]), piece=st.sampled_from([1, 999, 2**20]),
       dtype=st.sampled_from(["u1", "u2", "i2", "i4", "u8", "f4", "f8", "?"]))  # fmt: skip
def test_any_region_is_what_zarr_reads(
    tmp_path_factory, data, scan, last, chunk, times, address, at_once, piece, dtype
):
    folder, shape = tmp_path_factory.mktemp("any"), (*scan, last)
    array = created(folder, shape, dtype=dtype, chunk=chunk, shard=chunk * times)
    values = filled(array)
    region = data.draw(st.tuples(*(spans(n) for n in shape)))
    seen = np.zeros(shape, int)
    with reading(at_once, piece, address):
        np.testing.assert_array_equal(read(array, region), values[region])
        for where, part in shards_of(array).pieces(region):
            assert part.flags.c_contiguous
            np.testing.assert_array_equal(part, values[where])
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
    np.testing.assert_array_equal(read(array, whole(array)), values)


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
        read(array, whole(array))
    assert caught.value.key == "c/0/0/0/0"


@pytest.mark.parametrize("length", [0, 10, 67, 100])
def test_a_file_cut_short_is_damaged(tmp_path, length):
    array = created(tmp_path, (1, 4, 4, 3))
    filled(array)
    path = shards_of(array).folder / "c/0/0/0/0"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedShardError, match="checksum of its index"):
        read(array, whole(array))


@pytest.mark.parametrize("length", [0, 3, 20])
def test_a_chunk_cut_short_is_damaged(tmp_path, length):
    array = created(tmp_path, (1, 4, 4, 3), shard=0)
    filled(array)
    path = shards_of(array).folder / "c/0/1/0/0"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedShardError, match="checksum") as caught:
        read(array, whole(array))
    assert caught.value.key == "c/0/1/0/0"


@pytest.mark.parametrize("address", [True, False])
@pytest.mark.parametrize("place", [0, 4, 12, 16])
def test_what_bears_its_checksum_and_cannot_be_unpacked_is_damaged(tmp_path, address, place):
    array = created(tmp_path, (1, 4, 4, 64), shard=0)
    filled(array)
    path = shards_of(array).folder / "c/0/1/0/0"
    packed = bytearray(path.read_bytes()[:-4])
    packed[place : place + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(packed + google_crc32c.value(bytes(packed)).to_bytes(4, "little"))
    with reading(2**20, 2**20, address), pytest.raises(DamagedShardError) as caught:
        read(array, whole(array))
    assert caught.value.key == "c/0/1/0/0"


def test_a_lost_file_is_missing_and_a_folder_in_its_place_damaged(tmp_path):
    array = created(tmp_path, (1, 4, 4, 3))
    filled(array)
    path = shards_of(array).folder / "c/0/0/0/0"
    path.unlink()
    with pytest.raises(MissingShardError) as caught:
        read(array, whole(array))
    assert caught.value.key == "c/0/0/0/0"
    path.mkdir()
    with pytest.raises(DamagedShardError):
        read(array, whole(array))


def test_chunks_left_out_are_the_fill_value_as_the_format_says(tmp_path):
    array = created(tmp_path, (1, 4, 4, 3))
    values = np.zeros(array.shape, "u2")
    values[0, 2, 3] = 7
    array.with_config({"write_empty_chunks": False})[...] = values
    np.testing.assert_array_equal(read(array, whole(array)), values)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    present=st.sets(st.integers(0, 24), min_size=1),
    at_once=st.sampled_from([1, 150, 2**20]),
    last=st.sampled_from([3, 16]),
    address=st.booleans(),
)
def test_chunks_are_read_wherever_they_lie_in_the_file(
    tmp_path_factory, data, present, at_once, last, address
):
    array = created(tmp_path_factory.mktemp("order"), (1, 10, 10, last), shard=10)
    values = np.zeros(array.shape, "u2")
    for number in present:
        y, x = divmod(number, 5)
        values[0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] = number + 1
    # Zarr leaves out chunks of zeros, and puts the others in an order of its own
    array.with_config({"write_empty_chunks": False})[...] = values
    region = data.draw(st.tuples(*(spans(n) for n in array.shape)))
    with reading(at_once, 2**20, address):
        np.testing.assert_array_equal(read(array, region), values[region])


@pytest.mark.parametrize("address", [True, False])
@pytest.mark.parametrize(("dtype", "fill"), [("i4", -7), ("u2", 9), ("f4", 0.5)])
def test_another_fill_value_is_kept(tmp_path, dtype, fill, address):
    array = zarr.create_array(
        tmp_path / "x.zarr", shape=(4, 64), chunks=(2, 64), shards=(4, 64), dtype=dtype,
        compressors=[BloscCodec(typesize=np.dtype(dtype).itemsize), CRC], fill_value=fill,
    )  # fmt: skip
    array[:2] = 3
    with reading(2**20, 2**20, address):
        np.testing.assert_array_equal(read(array, whole(array)), array[...])
    assert (array[2:] == fill).all()


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
