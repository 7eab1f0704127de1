"""Results for analysis: probabilities as a pyarrow dataset, mels as an xarray Dataset."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from birddask.errors import ConfigError
from birddask.mels.store import MelStore, open_store
from birddask.outputs import stores
from birddask.storage import folder_at, to_options
from birddask.table.block_files import block_numbers
from birddask.table.clip_table import clip_table_key, read_clips

if TYPE_CHECKING:
    import pyarrow.dataset  # noqa: TC004 - it is only for types; what runs is `pa`
    import xarray

_PARQUET = ".parquet"
_PARTITIONS = pa.schema([("site", pa.string()), ("month", pa.string())])


def open_probabilities(
    output: str, model: str | None = None, storage_options: Mapping[str, object] | None = None
) -> pyarrow.dataset.Dataset:
    """The probabilities of one model, with ``site`` and ``month`` as columns.

    Args:
        output: folder or URL of the job's output.
        model: the folder below ``probabilities/``, without ``model=``; needed only if there are several.
        storage_options: as in the job file, secrets as ``${NAME}`` of an environment variable.

    Raises:
        ConfigError: there are no probabilities, or several models' and none was named.
    """
    from pyarrow import dataset  # noqa: PLC0415 - loads pandas where it is installed, which takes a second

    folder = folder_at(output, to_options(storage_options or {}, "storage_options")).child("probabilities")
    parts = [file.key for file in folder.files() if file.key.endswith(_PARQUET)]
    models = sorted({key.split("/")[0].removeprefix("model=") for key in parts})
    chosen = [name for name in models if model in (None, name)]
    if len(chosen) != 1:
        there = ", ".join(models) or "none"
        raise ConfigError(f"name one model of {folder.url} (there: {there})")
    filesystem, root = folder.for_arrow()
    below = f"model={chosen[0]}/"
    return dataset.dataset(
        [f"{root}/{key}" for key in parts if key.startswith(below)],
        filesystem=filesystem,
        format="parquet",
        partitioning=dataset.partitioning(_PARTITIONS, flavor="hive"),
        partition_base_dir=f"{root}/{below}",
    )


def open_mels(
    output: str, store: str | None = None, storage_options: Mapping[str, object] | None = None
) -> xarray.Dataset:
    """The mels of one store as a lazy Dataset: ``mel`` (clip, channel, bin, frame) with the clips' columns.

    Mels are float32, NaN in clips that are silent or quarantined; a block is a chunk. Where a shard is missing or
    damaged, computing them raises MelsLost.

    Args:
        output: folder or URL of the job's output.
        store: the folder below ``mels/``; needed only if there are several.
        storage_options: as in the job file, secrets as ``${NAME}`` of an environment variable.

    Raises:
        ConfigError: there are no mels, or several stores and none was named, or xarray is not installed.
    """
    if not importlib.util.find_spec("xarray"):
        raise ConfigError("open_mels needs xarray: pip install 'birddask[analysis]'")
    import dask.array  # noqa: PLC0415 - an extra
    import xarray  # noqa: PLC0415 - an extra
    from dask.delayed import delayed  # noqa: PLC0415 - an extra

    folder = folder_at(output, to_options(storage_options or {}, "storage_options"))
    names = stores(folder)
    chosen = [name for name in names if store in (None, name)]
    if len(chosen) != 1:
        raise ConfigError(f"name one store of {folder.url}/mels (there: {', '.join(names) or 'none'})")
    mel_store = open_store(folder.child("mels", chosen[0]))
    blocks = block_numbers(mel_store.folder.child("clips")).tolist()
    tables = [read_clips(mel_store.folder.read(clip_table_key(block))) for block in blocks]
    rows = [row for table in tables for row in table]
    mels = [dask.array.empty((0, *mel_store.spec.shape), dtype=np.float32, chunks=-1)]
    for block, table in zip(blocks, tables, strict=True):
        ok = np.array([row.status == "ok" for row in table])
        read = delayed(_mels_of, pure=False)(mel_store, block, ok)
        mels.append(dask.array.from_delayed(read, (len(ok), *mel_store.spec.shape), dtype=np.float32))
    start_times = pa.array([row.start_time_us for row in rows], pa.timestamp("us"))
    return xarray.Dataset(
        # xarray takes a variable that is named as one of its dimensions for a coordinate: not "mel" here.
        {"mel": (("clip", "channel", "bin", "frame"), dask.array.concatenate(mels))},
        coords={
            "clip": [row.clip for row in rows],
            "recording": ("clip", [row.recording for row in rows]),
            "site": ("clip", [row.site for row in rows]),
            "offset_us": ("clip", [row.offset_us for row in rows]),
            "start_time": ("clip", start_times.to_numpy(zero_copy_only=False)),
            "status": ("clip", [row.status for row in rows]),
        },
    )


def _mels_of(store: MelStore, block: int, ok: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The mels of a block's clips; a block in which no clip is ``ok`` has no shard."""
    mels = np.full((len(ok), *store.spec.shape), np.nan, np.float32)
    if ok.any():
        mels[ok] = store.spec.coding.decoded(store.read_shard(block, len(ok))[ok])
    return mels
