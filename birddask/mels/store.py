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
from birddask.mels.coding import Stored, all_finite
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
        return self.spec.coding.stored_bytes(self.spec.shape)

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

    def blank(self, clips: int) -> Stored:
        """Rows of the array in which there are no mels."""
        return np.full((clips, *self._stored_shape), self.spec.coding.blank, self.spec.dtype)

    def to_stored(self, mels: NDArray[np.float32]) -> Stored:
        """Mels (..., frame) as the store keeps them; see ``Coding.encode``."""
        return self.spec.coding.encode(mels)

    def write_shard(self, block: int, mels: Stored) -> None:
        """Encode and publish the shard of a block; rows that a short block lacks are blank.

        Raises:
            MisalignedBlock: the mels are not of the store's shape and type, or more than a block holds.
        """
        if mels.shape[1:] != self._stored_shape or mels.dtype != self.spec.dtype:
            raise MisalignedBlock(
                f"block {block}: mels {mels.shape[1:]} {mels.dtype} do not belong in a store of "
                f"{self._stored_shape} {self.spec.dtype}"
            )
        if not 0 < len(mels) <= self.clips_per_block:
            raise MisalignedBlock(
                f"block {block}: {len(mels)} clips are not a whole shard of {self.clips_per_block}; "
                "two tasks would write the same shard and one would lose its work"
            )
        files: _Files = {}
        self._array(self.clips_per_block, files)[: len(mels)] = mels
        self.array_folder.publish(_shard_key(block), files[_FIRST_SHARD].to_bytes())

    def read_shard(self, block: int, clips: int) -> Stored:
        """The first ``clips`` rows of a block.

        Raises:
            MelsLost: the shard is missing or damaged.
        """
        try:
            content = self.array_folder.read(_shard_key(block))
        except FileNotFoundError as error:
            raise MelsLost(f"block {block}: the shard {_shard_key(block)} is missing") from error
        return self._unpacked(block, content, slice(clips), sharded=True)

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
        stored = self._unpacked(block, content, row, sharded=False)
        if not all_finite(stored):
            raise MelsLost(f"clip {clip} has no mels in its shard")
        return self.spec.coding.decoded(stored)

    def _unpacked(self, block: int, content: bytes, rows: int | slice, *, sharded: bool) -> Stored:
        """Some rows of an encoded shard, or of a single encoded chunk of one."""
        files: _Files = {}
        array = self._array(self.clips_per_block if sharded else _clips_per_chunk(self.spec), files, sharded=sharded)
        files[_FIRST_SHARD] = default_buffer_prototype().buffer.from_bytes(content)
        try:
            unpacked: Stored = np.asarray(array[rows])
        except (ValueError, RuntimeError) as error:
            raise MelsLost(f"block {block}: the shard is damaged: {error}") from error
        return unpacked

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

    @property
    def _stored_shape(self) -> tuple[int, int, int]:
        return self.spec.coding.stored_shape(self.spec.shape)

    def _array(self, rows: int, files: _Files, *, sharded: bool = True) -> zarr.Array[Any]:
        """An empty array of this store's layout, or of its chunks alone, kept in ``files``."""
        comment = self.spec.coding.comment
        return zarr.create_array(
            MemoryStore(files),
            name=ARRAY,
            shape=(rows, *self._stored_shape),
            shards=(self.clips_per_block, *self._stored_shape) if sharded else None,
            chunks=(_clips_per_chunk(self.spec), *self._stored_shape),
            dtype=self.spec.dtype,
            fill_value=self.spec.coding.blank,
            compressors=_COMPRESSORS,
            dimension_names=("clip", "channel", "mel", self.spec.coding.last_axis),
            attributes={"comment": comment} if comment else None,
        )


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
    return chunk * max(1, round(block_bytes / (chunk * spec.coding.stored_bytes(spec.shape))))


def _clips_per_chunk(spec: MelSpec) -> int:
    """As many clips as fit in about a megabyte."""
    return max(1, _CHUNK_BYTES // spec.coding.stored_bytes(spec.shape))


def _shard_key(block: int) -> str:
    return f"c/{block}/0/0/0"
