from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import zarr

from birddask.errors import ConfigError, MelsLost, MisalignedBlock
from birddask.mels.coding import Dtype, Stored, all_finite
from birddask.mels.spec import MelSpec
from birddask.mels.store import MelStore, clips_per_block, open_store
from birddask.storage import Folder
from tests.support.models import tiny_spec

CLIPS = 12
CLIP_VALUES = 1 * 16 * 63
CHUNK_BYTES = 12 * 16 * (63 + 8)
CLIPS_PER_CHUNK = {"float32": 3, "float16": 6, "uint8": 12}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four chunks in a shard of float32."""
    monkeypatch.setattr("birddask.mels.store._CHUNK_BYTES", CHUNK_BYTES)


def array_in(folder: Path) -> zarr.Array[Any]:
    """The array of a store as everybody reads it, through Zarr."""
    return zarr.open_array(str(folder / "mels.zarr/mel"), mode="r")


def store_in(folder: Path, dtype: Dtype = "float32", clips: int = CLIPS) -> MelStore:
    return MelStore(Folder(str(folder)), replace(tiny_spec(), dtype=dtype), clips)


def mels_of(store: MelStore, clips: int, seed: int = 0) -> Stored:
    values = np.random.default_rng(seed).normal(-30, 20, (clips, *store.spec.shape))
    return store.to_stored(values.astype(np.float32))


def shard(folder: Path, block: int) -> Path:
    return folder / f"mels.zarr/mel/c/{block}/0/0/0"


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("dtype", get_args(Dtype))
@pytest.mark.parametrize("clips", [1, 2, 3, 7, CLIPS])
def test_a_shard_is_read_as_it_was_written(dtype: Dtype, clips: int, tmp_path: Path) -> None:
    store = store_in(tmp_path, dtype)
    mels = mels_of(store, clips)
    store.write_shard(4, mels)
    read = store.read_shard(4, clips)
    assert read.dtype == dtype
    assert read.tobytes() == mels.tobytes()


def test_values_at_the_edge_of_a_type_survive(tmp_path: Path) -> None:
    store = store_in(tmp_path, "float16")
    mels = mels_of(store, 3)
    mels[1].flat[:6] = [np.nan, np.inf, -0.0, 6e-8, 65_504, -65_504]
    mels[2] = 0
    store.write_shard(0, mels)
    assert store.read_shard(0, 3).tobytes() == mels.tobytes()


@pytest.mark.parametrize("dtype", get_args(Dtype))
def test_a_silent_block_is_not_taken_for_a_missing_one(dtype: Dtype, tmp_path: Path) -> None:
    store = store_in(tmp_path, dtype)
    store.write_shard(0, store.to_stored(np.zeros((CLIPS, *store.spec.shape), np.float32)))
    assert not np.any(store.read_shard(0, CLIPS))


@pytest.mark.parametrize("dtype", get_args(Dtype))
def test_rows_that_a_short_block_lacks_are_nan(dtype: Dtype, tmp_path: Path) -> None:
    store = store_in(tmp_path, dtype)
    store.write_shard(0, mels_of(store, 5))
    read = store.spec.coding.decoded(store.read_shard(0, CLIPS))
    assert np.isfinite(read[:5]).all()
    assert np.isnan(read[5:]).all()


@pytest.mark.parametrize("dtype", get_args(Dtype))
def test_zarr_itself_reads_the_same_array(dtype: Dtype, tmp_path: Path) -> None:
    store = store_in(tmp_path, dtype)
    store.create()
    store.grow(4)
    first, third = mels_of(store, CLIPS, seed=1), mels_of(store, 5, seed=2)
    store.write_shard(0, first)
    store.write_shard(2, third)

    array = array_in(tmp_path)

    last, length = ("byte", 8 + 63) if dtype == "uint8" else ("frame", 63)
    assert array.shape == (4 * CLIPS, 1, 16, length)
    assert array.dtype == dtype
    assert array.shards == (CLIPS, 1, 16, length)
    assert array.metadata.dimension_names == ("clip", "channel", "mel", last)
    assert list(array.attrs) == (["comment"] if dtype == "uint8" else [])
    np.testing.assert_array_equal(array[:CLIPS], first)
    np.testing.assert_array_equal(array[2 * CLIPS : 2 * CLIPS + 5], third)
    decoded = store.spec.coding.decoded(array[:])
    assert np.isnan(decoded[CLIPS : 2 * CLIPS]).all()
    assert np.isnan(decoded[2 * CLIPS + 5 :]).all()


def test_what_zarr_writes_is_what_the_store_writes(tmp_path: Path) -> None:
    ours, zarrs = tmp_path / "ours", tmp_path / "zarrs"
    for folder in (ours, zarrs):
        store_in(folder).create()
        store_in(folder).grow(2)
    mels = mels_of(store_in(ours), CLIPS)
    store_in(ours).write_shard(1, mels)
    zarr.open_array(str(zarrs / "mels.zarr/mel"), mode="r+")[CLIPS:] = mels
    assert shard(ours, 1).read_bytes() == shard(zarrs, 1).read_bytes()


def test_the_group_says_what_its_mels_are(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.create()
    attributes = zarr.open_group(str(tmp_path / "mels.zarr"), mode="r").attrs.asdict()
    assert attributes["birddask"]["mel_spec_fingerprint"] == store.spec.fingerprint
    assert open_store(Folder(str(tmp_path))) == store


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((CLIPS + 1, 1, 16, 63), "float32", "13 clips are not a whole shard of 12"),
        ((0, 1, 16, 63), "float32", "0 clips"),
        ((2, 1, 16, 62), "float32", r"\(1, 16, 62\) float32 do not belong"),
        ((2, 16, 63), "float32", r"\(16, 63\) float32 do not belong"),
        ((2, 1, 16, 63), "float16", "float16 do not belong"),
        ((2, 1, 16, 63), "float64", "float64 do not belong"),
        ((2, 1, 16, 63), ">f4", "do not belong"),
    ],
)
def test_what_is_not_a_whole_shard_is_refused_before_it_is_written(
    shape: tuple[int, ...], dtype: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(MisalignedBlock, match=message):
        store_in(tmp_path).write_shard(3, np.zeros(shape, dtype))
    assert files_below(tmp_path) == []


def test_a_missing_shard_is_lost_though_zarr_would_read_nan(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.create()
    store.grow(1)
    assert np.isnan(array_in(tmp_path)[:]).all()
    with pytest.raises(MelsLost, match="c/0/0/0/0 is missing"):
        store.read_shard(0, 1)


def test_a_truncated_shard_is_lost(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.write_shard(0, mels_of(store, CLIPS))
    content = shard(tmp_path, 0).read_bytes()
    for length in [*range(5), *range(5, len(content), 997), *range(len(content) - 80, len(content))]:
        shard(tmp_path, 0).write_bytes(content[:length])
        with pytest.raises(MelsLost, match="damaged"):
            store.read_shard(0, 1)


def test_a_shard_with_a_flipped_bit_is_lost(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.write_shard(0, mels_of(store, 8))
    content = shard(tmp_path, 0).read_bytes()
    header, index = range(40), range(len(content) - 80, len(content))
    anywhere = np.random.default_rng(0).integers(0, len(content), 300)
    flips = [(byte, bit) for byte in (*header, *index) for bit in range(8)]
    flips += [(int(byte), number % 8) for number, byte in enumerate(anywhere)]
    for byte, bit in flips:
        damaged = bytearray(content)
        damaged[byte] ^= 1 << bit
        shard(tmp_path, 0).write_bytes(damaged)
        with pytest.raises(MelsLost, match="damaged"):
            store.read_shard(0, 8)


@pytest.mark.parametrize("content", [b"", b"not a shard", bytes(100_000)])
def test_a_file_that_is_no_shard_is_lost(content: bytes, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.write_shard(0, mels_of(store, 1))
    shard(tmp_path, 0).write_bytes(content)
    with pytest.raises(MelsLost):
        store.read_shard(0, 1)


def test_a_shard_of_another_layout_is_lost(tmp_path: Path) -> None:
    other = store_in(tmp_path, clips=3)
    other.write_shard(0, mels_of(other, 3))
    with pytest.raises(MelsLost):
        store_in(tmp_path).read_shard(0, 3)


@pytest.mark.parametrize("dtype", get_args(Dtype))
def test_smooth_mels_take_less_room_than_their_bytes(dtype: Dtype, tmp_path: Path) -> None:
    store = store_in(tmp_path, dtype)
    smooth = np.linspace(-60, 0, CLIPS * CLIP_VALUES, dtype=np.float32).reshape(CLIPS, *store.spec.shape)
    mels = store.to_stored(smooth)
    store.write_shard(0, mels)
    assert shard(tmp_path, 0).stat().st_size < 0.6 * mels.nbytes


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
@pytest.mark.parametrize("clips", [5, CLIPS])
def test_the_same_mels_give_the_same_bytes(clips: int, dtype: Dtype, tmp_path: Path) -> None:
    store = store_in(tmp_path, dtype)
    for block in (0, 1):
        store.write_shard(block, mels_of(store, clips))
    assert shard(tmp_path, 0).read_bytes() == shard(tmp_path, 1).read_bytes()
    store.write_shard(0, mels_of(store, clips))
    assert shard(tmp_path, 0).read_bytes() == shard(tmp_path, 1).read_bytes()


def test_a_shard_is_one_file_and_nothing_is_left_over(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.create()
    store.grow(1)
    store.write_shard(0, mels_of(store, 2))
    names = sorted(str(path.relative_to(tmp_path)) for path in files_below(tmp_path))
    assert names == ["mels.zarr/mel/c/0/0/0/0", "mels.zarr/mel/zarr.json", "mels.zarr/zarr.json"]


def test_the_array_grows_and_never_shrinks(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.create()
    lengths = []
    for blocks in (0, 3, 2, 0, 5, 5):
        store.grow(blocks)
        lengths.append(array_in(tmp_path).shape[0] // CLIPS)
    assert lengths == [0, 3, 3, 3, 5, 5]


def test_growing_keeps_what_was_written(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.create()
    store.grow(1)
    mels = mels_of(store, CLIPS)
    store.write_shard(0, mels)
    store.grow(1000)
    np.testing.assert_array_equal(array_in(tmp_path)[:CLIPS], mels)


def test_a_folder_without_mels_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"no mels in {tmp_path}"):
        open_store(Folder(str(tmp_path)))


def test_a_store_of_another_schema_is_refused(tmp_path: Path) -> None:
    store_in(tmp_path).create()
    path = tmp_path / "mels.zarr/zarr.json"
    group = json.loads(path.read_text())
    group["attributes"]["birddask"]["schema"] = 99
    path.write_text(json.dumps(group))
    with pytest.raises(ConfigError, match="have schema 99, this version reads 1"):
        open_store(Folder(str(tmp_path)))


@pytest.mark.parametrize("dtype", get_args(Dtype))
@pytest.mark.parametrize("block_bytes", [1, 100_000, 64 << 20])
def test_a_block_is_of_whole_chunks_near_its_target(dtype: Dtype, block_bytes: int, tmp_path: Path) -> None:
    spec: MelSpec = replace(tiny_spec(), dtype=dtype)
    clips = clips_per_block(spec, block_bytes)
    assert clips % CLIPS_PER_CHUNK[dtype] == 0
    block = MelStore(Folder(str(tmp_path)), spec, clips)
    assert abs(block.block_bytes - block_bytes) <= CHUNK_BYTES
    assert block.clip_bytes * clips == block.block_bytes


def test_float16_takes_the_offset_off_and_adds_it_again(tmp_path: Path) -> None:
    store = MelStore(Folder(str(tmp_path)), replace(tiny_spec(), dtype="float16", float16_offset=0.125), CLIPS)
    mels = np.float32(0.125) + np.linspace(-1e-3, 1e-3, CLIP_VALUES, dtype=np.float32).reshape(1, 1, 16, 63)
    stored = store.to_stored(mels)
    np.testing.assert_array_equal(stored, (mels - np.float32(0.125)).astype(np.float16))
    assert np.abs(store.spec.coding.decoded(stored) - mels).max() < np.abs(mels.astype(np.float16) - mels).max() / 50


def test_float32_is_stored_as_it_is(tmp_path: Path) -> None:
    store = MelStore(Folder(str(tmp_path)), replace(tiny_spec(), dtype="float32", float16_offset=0.125), CLIPS)
    mels = mels_of(store, 2).astype(np.float32)
    np.testing.assert_array_equal(store.to_stored(mels), mels)
    np.testing.assert_array_equal(store.spec.coding.decoded(mels), mels)


def test_what_float16_cannot_hold_becomes_an_infinity(tmp_path: Path) -> None:
    store = store_in(tmp_path, "float16")
    stored = store.to_stored(np.array([70_000, -70_000, 1], np.float32))
    np.testing.assert_array_equal(stored, np.array([np.inf, -np.inf, 1], np.float16))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_finite_is_what_numpy_says(dtype: type[np.floating]) -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    found = [all_finite(number.reshape(1).astype(dtype)) for number in halves]
    assert found == np.isfinite(halves).tolist()


@pytest.mark.parametrize("dtype", get_args(Dtype))
def test_a_clip_alone_is_what_its_shard_holds(dtype: Dtype, tmp_path: Path) -> None:
    store = MelStore(Folder(str(tmp_path)), replace(tiny_spec(), dtype=dtype, float16_offset=-40.0), CLIPS)
    mels = store.to_stored(np.random.default_rng(0).normal(-40, 10, (8, *store.spec.shape)).astype(np.float32))
    mels[4] = store.blank(1)
    store.write_shard(1, mels)
    for row in (0, 2, 3, 5, 7):
        expected = store.spec.coding.decoded(store.read_shard(1, 8)[row])
        np.testing.assert_array_equal(store.read_clip(CLIPS + row), expected)
    # Never computed, beyond the short block, in blocks that are not there.
    for clip in (CLIPS + 4, CLIPS + 8, CLIPS + 11, CLIPS - 1, 2 * CLIPS):
        with pytest.raises(MelsLost):
            store.read_clip(clip)


def test_a_damaged_shard_never_gives_another_clip(tmp_path: Path) -> None:
    store = MelStore(Folder(str(tmp_path)), tiny_spec(), CLIPS)
    generator = np.random.default_rng(0)
    store.write_shard(0, generator.normal(-40, 10, (CLIPS, *store.spec.shape)).astype(np.float32))
    (path,) = (each for each in tmp_path.rglob("*") if each.is_file())
    whole = path.read_bytes()
    expected = store.read_clip(3)
    damaged = [whole[:cut] for cut in (0, 3, 20, len(whole) // 2, len(whole) - 1)]
    # Anywhere, and in the index at the end.
    for place in (*generator.integers(0, len(whole), 200).tolist(), *range(len(whole) - 68, len(whole))):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(generator.integers(8))
        damaged.append(bytes(flipped))
    lost = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            np.testing.assert_array_equal(store.read_clip(3), expected)
        except MelsLost:
            lost += 1
    assert len(damaged) > lost > len(damaged) // 8
