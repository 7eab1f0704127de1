"""The job file: what to run, with defaults for all but three keys."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from birddask.documents import document, parse, parse_yaml
from birddask.errors import ConfigError
from birddask.mels.coding import Dtype
from birddask.mels.spec import MelSpec
from birddask.models.card import ModelCard, Precision
from birddask.recordings.inspect import ScanRule
from birddask.recordings.moments import UNSET_CLOCK_BEFORE_US, to_microseconds
from birddask.recordings.sites import DEFAULT_PATTERN, site_of
from birddask.recordings.start import ClockShift
from birddask.storage import Folder, Options, absolute_url, folder_at, is_url, read_file, to_options
from birddask.table.parts import EmbeddingType, PartLayout

WIDE_LABELS_AT_MOST = 512
_MIB = 1 << 20
# From -12:00 to +14:00 on today's clocks.
_UTC_OFFSET = re.compile(r"([+-])(0?\d|1[0-4]):([0-5]\d)")


@document
@dataclass(frozen=True)
class Clock:
    """A clock that was wrong: when it showed ``clock``, it was ``truth``; both with their offset from UTC.

    Attributes:
        clock: what the recorder showed.
        truth: when that was.
        site: of the recordings it is for; None for any.
        folder: that they lie in, below the archive; empty for any.
    """

    clock: datetime
    truth: datetime
    site: str | None = None
    folder: str = ""

    def __post_init__(self) -> None:
        if self.clock.tzinfo is None or self.truth.tzinfo is None:
            raise ConfigError(
                "`clocks`: write `clock` and `truth` with an offset, as 2025-05-03T04:12:00+02:00 or ...Z"
            )

    @property
    def shift(self) -> ClockShift:
        """What is to be added to the recorder's times."""
        clock_us = to_microseconds(self.clock)
        shift_us = to_microseconds(self.truth) - clock_us
        return ClockShift(self.site, self.folder.strip("/"), shift_us, clock_us < UNSET_CLOCK_BEFORE_US)


@document
@dataclass(frozen=True)
class StorageOptions:
    """Options of fsspec's filesystems for each place; secrets stand as ``${NAME}`` of a variable.

    Attributes:
        archive: for the recordings.
        output: for everything that is written there.
        model: for the bundle.
        export: for what is written for others: detections, effort, exports.
    """

    archive: Mapping[str, Any] = field(default_factory=dict)
    output: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    export: Mapping[str, Any] = field(default_factory=dict)


@document
@dataclass(frozen=True)
class Job:
    """What to run.

    Attributes:
        archive: folder or URL of the recordings.
        output: folder or URL of everything that is written.
        model: name of a fetched model, or path or URL of a bundle.
        overlap_s: overlap of clips in seconds; None takes the model's own.
        dtype: how mels are stored; None takes the model's own.
        site: where the site stands in a recording's path.
        utc_offset: of times that state no zone and have no settings of the recorder beside them, as ``+hh:mm``.
        clocks: corrections of recorders' clocks.
        table: ``wide`` (a column a label), ``long`` (a row a label), or ``auto``: wide up to 512 labels.
        precision: what the network computes with, ``bfloat16`` needs OpenVINO; None takes the model's own.
        floor: smallest probability kept in a long table.
        embeddings: how to store the model's embedding of each clip; None does not.
        block_mib: mels in a block, in MiB; counts only when a store is made.
        storage_options: how to reach archive, output and model where their URLs do not say all.
    """

    archive: str
    output: str
    model: str
    overlap_s: float | None = None
    dtype: Dtype | None = None
    site: str = DEFAULT_PATTERN
    utc_offset: str = "+00:00"
    clocks: tuple[Clock, ...] = ()
    precision: Precision | None = None
    table: Literal["auto", "wide", "long"] = "auto"
    floor: float = 0.01
    embeddings: EmbeddingType | None = None
    block_mib: float = 64
    storage_options: StorageOptions = StorageOptions()

    def __post_init__(self) -> None:
        if not 0 <= self.floor < 1:
            raise ConfigError(f"`floor` is {self.floor}, it must be from 0 up to 1")
        if not self.block_mib > 0:
            raise ConfigError(f"`block_mib` is {self.block_mib}, it must be positive")
        if self.archive_folder.url.rstrip("/") == self.output_folder.url.rstrip("/"):
            raise ConfigError(f"`archive` and `output` are both {self.archive}; results must go to another folder")
        _ = self.model_options, self.export_options
        site_of("", self.site)
        self.scan_rule()

    @property
    def archive_folder(self) -> Folder:
        """Where the recordings are."""
        return folder_at(self.archive, to_options(self.storage_options.archive, "`storage_options`"))

    @property
    def output_folder(self) -> Folder:
        """Where everything is written."""
        return folder_at(self.output, to_options(self.storage_options.output, "`storage_options`"))

    @property
    def model_options(self) -> Options:
        """How to reach the model."""
        return to_options(self.storage_options.model, "`storage_options`")

    @property
    def export_options(self) -> Options:
        """How to reach the places where results are written for others."""
        return to_options(self.storage_options.export, "`storage_options`")

    @property
    def block_bytes(self) -> int:
        """Target size of a block's mels."""
        return int(self.block_mib * _MIB)

    def scan_rule(self) -> ScanRule:
        """How recordings are placed and dated.

        Raises:
            ConfigError: the offset from UTC is not of the form ``+hh:mm``.
        """
        match = _UTC_OFFSET.fullmatch(self.utc_offset)
        if match is None:
            raise ConfigError(f"`utc_offset` is {self.utc_offset!r}, write it as '+05:30' or '-03:00'")
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        signed = -offset if match[1] == "-" else offset
        return ScanRule(self.site, signed // timedelta(minutes=1), tuple(clock.shift for clock in self.clocks))

    def fit(self, card: ModelCard) -> ModelCard:
        """The model's card with the job's overlap, dtype and precision in it."""
        return replace(card, mels=self._mel_spec(card.mels), precision=self.precision or card.precision)

    def layout(self, labels: int) -> PartLayout:
        """How probabilities of so many labels are laid out."""
        wide = self.table == "wide" or (self.table == "auto" and labels <= WIDE_LABELS_AT_MOST)
        return PartLayout("wide", 0.0) if wide else PartLayout("long", self.floor)

    def _mel_spec(self, spec: MelSpec) -> MelSpec:
        clip = spec.clip
        if self.overlap_s is not None:
            overlap = round(self.overlap_s * clip.sample_rate_hz)
            if not 0 <= overlap < clip.length_samples:
                length_s = clip.length_samples / clip.sample_rate_hz
                raise ConfigError(f"`overlap_s` is {self.overlap_s}, it must be from 0 up to the clip's {length_s:g} s")
            clip = replace(clip, hop_samples=clip.length_samples - overlap)
        return replace(spec, clip=clip, dtype=self.dtype or spec.dtype)


def read_job_file(place: str | Path) -> Job:
    """The job that a YAML file at a path or URL describes; relative paths in it are taken from the file's folder.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    base = absolute_url(str(place)).rpartition("/")[0]
    content = read_file(str(place), "the job file ")
    job = parse(Job, parse_yaml(content, str(place)), str(place))
    model_is_path = "/" in job.model
    return replace(
        job,
        archive=_from(base, job.archive),
        output=_from(base, job.output),
        model=_from(base, job.model) if model_is_path else job.model,
    )


def _from(base: str, place: str) -> str:
    if is_url(place):
        return place
    path = Path(place).expanduser()
    if is_url(base) and not path.is_absolute():
        protocol, _, rest = base.partition("://")
        return f"{protocol}://{posixpath.normpath(f'{rest}/{place}')}"
    return os.path.normpath(path if is_url(base) else Path(base, path))
