"""The store of mels: a sharded Zarr v3 array, one shard a block (the only ``zarr`` import).

Zarr is used as a codec: a shard is encoded and decoded in memory and travels as one whole file. A missing shard is
therefore an error here, where Zarr would read fill values, and a write is atomic on every filesystem.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.storage import MemoryStore

from birddask.documents import parse, to_mapping
from birddask.errors import ConfigError, MelsLost, MisalignedBlock
from birddask.mels.spec import MelSpec
from birddask.storage import Folder

ARRAY = "mel"
_GROUP = "mels.zarr"
_CHUNK_BYTES = 1 << 20
_FIRST_SHARD = f"{ARRAY}/c/0/0/0/0"
_SCHEMA = 1
# LZ4 itself notices almost no flipped bit: a checksum follows it.
_COMPRESSORS = (BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), Crc32cCodec())

_Files = dict[str, Buffer]

Mels = NDArray[np.floating]
"""(clip, channel, mel, frame) of the spec's dtype."""


@dataclass(frozen=True)
class MelStore:
    """Mels of one spec below ``<output>/mels``."""

    folder: Folder
    spec: MelSpec
    clips_per_block: int

    @property
    def array_folder(self) -> Folder:
        """Where the Zarr array lies."""
        return self.folder.child(_GROUP, ARRAY)

    @property
    def clip_bytes(self) -> int:
        """Bytes of the mels of a clip, uncompressed."""
        return _clip_bytes(self.spec)

    @property
    def block_bytes(self) -> int:
        """Bytes of the mels of a full block, uncompressed."""
        return self.clips_per_block * self.clip_bytes

    def create(self) -> None:
        """Write the group's metadata; the array appears with ``grow``."""
        attributes = {
            "schema": _SCHEMA,
            "mel_spec": to_mapping(self.spec),
            "mel_spec_fingerprint": self.spec.fingerprint,
            "clips_per_block": self.clips_per_block,
        }
        files: _Files = {}
        zarr.create_group(MemoryStore(files), attributes={"birddask": attributes})
        self.folder.publish(f"{_GROUP}/zarr.json", files["zarr.json"].to_bytes())

    def grow(self, blocks: int) -> None:
        """Make the array long enough for so many blocks; it never shrinks."""
        rows = blocks * self.clips_per_block
        key = f"{_GROUP}/{ARRAY}/zarr.json"
        try:
            known = int(json.loads(self.folder.read(key))["shape"][0])
        except FileNotFoundError:
            known = -1
        if rows > known:
            files: _Files = {}
            self._array(rows, files)
            self.folder.publish(key, files[f"{ARRAY}/zarr.json"].to_bytes())

    @property
    def offset(self) -> np.float32:
        """What stored mels lack to be mels."""
        return np.float32(self.spec.float16_offset if self.spec.dtype == "float16" else 0)

    def to_stored(self, mels: NDArray[np.float32]) -> Mels:
        """Mels as the store keeps them; too large a value becomes an infinity."""
        with np.errstate(over="ignore"):
            return (mels - self.offset).astype(self.spec.dtype)

    def write_shard(self, block: int, mels: Mels) -> None:
        """Encode and publish the shard of a block; rows that a short block lacks are NaN.

        Raises:
            MisalignedBlock: the mels are not of the store's shape and type, or more than a block holds.
        """
        if mels.shape[1:] != self.spec.shape or mels.dtype != self.spec.dtype:
            raise MisalignedBlock(
                f"block {block}: mels {mels.shape[1:]} {mels.dtype} do not belong in a store of "
                f"{self.spec.shape} {self.spec.dtype}"
            )
        if not 0 < len(mels) <= self.clips_per_block:
            raise MisalignedBlock(
                f"block {block}: {len(mels)} clips are not a whole shard of {self.clips_per_block}; "
                "two tasks would write the same shard and one would lose its work"
            )
        files: _Files = {}
        self._array(self.clips_per_block, files)[: len(mels)] = mels
        self.array_folder.publish(_shard_key(block), files[_FIRST_SHARD].to_bytes())

    def read_shard(self, block: int, clips: int) -> Mels:
        """The first ``clips`` rows of a block.

        Raises:
            MelsLost: the shard is missing or damaged.
        """
        try:
            content = self.array_folder.read(_shard_key(block))
        except FileNotFoundError as error:
            raise MelsLost(f"block {block}: the shard {_shard_key(block)} is missing") from error
        files: _Files = {}
        array = self._array(self.clips_per_block, files)
        files[_FIRST_SHARD] = default_buffer_prototype().buffer.from_bytes(content)
        try:
            mels: Mels = np.asarray(array[:clips])
        except (ValueError, RuntimeError) as error:
            raise MelsLost(f"block {block}: the shard is damaged: {error}") from error
        return mels

    def read_clip(self, clip: int) -> NDArray[np.float32]:
        """The mels (channel, mel, frame) of one row of the array; reads a chunk of its shard, not the whole.

        Raises:
            MelsLost: they are missing or damaged.
        """
        block, index = divmod(clip, self.clips_per_block)
        chunk, row = divmod(index, _clips_per_chunk(self.spec))
        try:
            content = self._read_chunk(_shard_key(block), chunk)
        except FileNotFoundError as error:
            raise MelsLost(f"block {block}: the shard {_shard_key(block)} is missing") from error
        files: _Files = {}
        array = self._array(_clips_per_chunk(self.spec), files, sharded=False)
        files[_FIRST_SHARD] = default_buffer_prototype().buffer.from_bytes(content)
        try:
            mels: NDArray[np.float32] = np.asarray(array[row], np.float32) + self.offset
        except (ValueError, RuntimeError) as error:
            raise MelsLost(f"block {block}: the shard is damaged: {error}") from error
        if not np.isfinite(mels).all():
            raise MelsLost(f"clip {clip} has no mels in its shard")
        return mels

    def _read_chunk(self, key: str, chunk: int) -> bytes:
        """An encoded chunk of a shard; empty if all of it is fill values, or the shard is damaged.

        Where it lies stands at the end of the shard: for each chunk 8 bytes of offset and 8 of length, then a checksum
        (Zarr v3, sharding-indexed codec). The chunk has a checksum of its own.
        """
        places_bytes = 16 * (self.clips_per_block // _clips_per_chunk(self.spec))
        end = self.array_folder.size_bytes(key) - 4
        places = self.array_folder.read_range(key, max(0, end - places_bytes), end)
        if len(places) < places_bytes:
            return b""
        offset, length = np.frombuffer(places, "<u8").reshape(-1, 2)[chunk].tolist()
        return self.array_folder.read_range(key, offset, offset + length) if offset + length <= end else b""

    def _array(self, rows: int, files: _Files, *, sharded: bool = True) -> zarr.Array[Any]:
        """An empty array of this store's layout, or of its chunks alone, kept in ``files``."""
        return zarr.create_array(
            MemoryStore(files),
            name=ARRAY,
            shape=(rows, *self.spec.shape),
            shards=(self.clips_per_block, *self.spec.shape) if sharded else None,
            chunks=(_clips_per_chunk(self.spec), *self.spec.shape),
            dtype=self.spec.dtype,
            fill_value=np.nan,
            compressors=_COMPRESSORS,
            dimension_names=("clip", "channel", "mel", "frame"),
        )


def all_finite(mels: Mels) -> bool:
    """Whether there is neither a NaN nor an infinity in mels."""
    if mels.dtype != np.float16:
        return bool(np.isfinite(mels).all())
    # NumPy looks at float16 numbers one by one. By their bits without the sign, infinity is 0x7c00 and NaNs are above.
    return not mels.size or int((mels.view(np.uint16) & np.uint16(0x7FFF)).max()) < 0x7C00


def open_store(folder: Folder) -> MelStore:
    """The store in a folder, by what it records of itself.

    Raises:
        ConfigError: there is no store, or it was made by an incompatible version.
    """
    try:
        group = json.loads(folder.read(f"{_GROUP}/zarr.json"))
    except FileNotFoundError as error:
        raise ConfigError(f"there are no mels in {folder.url}") from error
    attributes = group["attributes"].get("birddask", {})
    if attributes.get("schema") != _SCHEMA:
        raise ConfigError(
            f"the mels in {folder.url} have schema {attributes.get('schema')}, this version reads {_SCHEMA}"
        )
    spec = parse(MelSpec, attributes["mel_spec"], folder.url)
    return MelStore(folder, spec, int(attributes["clips_per_block"]))


def clips_per_block(spec: MelSpec, block_bytes: int) -> int:
    """Clips in a block of about ``block_bytes``, a whole number of chunks."""
    chunk = _clips_per_chunk(spec)
    return chunk * max(1, round(block_bytes / (chunk * _clip_bytes(spec))))


def _clip_bytes(spec: MelSpec) -> int:
    return int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize


def _clips_per_chunk(spec: MelSpec) -> int:
    """As many clips as fit in about a megabyte."""
    return max(1, _CHUNK_BYTES // _clip_bytes(spec))


def _shard_key(block: int) -> str:
    return f"c/{block}/0/0/0"
