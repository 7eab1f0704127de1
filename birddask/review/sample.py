"""Detections to be reviewed, drawn at random from each band of scores of each label.

Who is drawn is decided by a hash of recording, start and label: a larger draw holds the smaller one, and the same
command draws the same again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from birddask.detections.found import Found
from birddask.detections.query import opened
from birddask.detections.rules import Rules, one_threshold
from birddask.review.bands import EDGES, band_of

_TURN = "turn"
_COLUMNS = {
    **{name: name for name in ("label", "site", "recording", "clip", "start_us", "end_us", "start_time_us")},
    "probability": "probability",
    # Half of a MD5, as a number; signs, so that no two different triples are written alike.
    _TURN: "md5_number_upper(concat_ws(chr(31), start_us, label, recording))",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A detection to be reviewed.

    Attributes:
        label: what the model heard.
        site: where.
        recording: its path below the archive.
        clip: row of the store.
        start_us: behind the begin of the recording.
        end_us: end of the detection, behind the begin of the recording.
        start_time_us: microseconds since 1970 UTC, None where unknown.
        probability: what the model says.
        band_low: lower edge of its band of scores.
        band_high: upper edge of it.
        band_detections: how many detections of the label are in the band.
        band_drawn: how many of them are drawn.
    """

    label: str
    site: str
    recording: str
    clip: int
    start_us: int
    end_us: int
    start_time_us: int | None
    probability: float
    band_low: float
    band_high: float
    band_detections: int
    band_drawn: int


@dataclass(frozen=True)
class Sample:
    """What is to be reviewed.

    Attributes:
        drawn: label by label, the most frequent first; within a label at random.
        labels: how many labels have detections, drawn or not.
        unanswered: names of species that no label answers to.
    """

    drawn: Sequence[Drawn]
    labels: int
    unanswered: Sequence[str]


def draw(found: Found, species: Mapping[str, str] | None, lowest: float, per_band: int, most: int) -> Sample:
    """Draw up to ``per_band`` detections of each label from each band; the tables are read once, as a stream.

    Args:
        found: the results.
        species: names of labels, as ``key_of`` makes them; None for all.
        lowest: the lower edge of the lowest band.
        per_band: as many or, where there are fewer, all.
        most: so many labels, the most frequent ones.

    Raises:
        ConfigError: a part was withdrawn meanwhile.
        BirddaskError: the disk for temporary files is full.
    """
    counts: Counter[tuple[str, int]] = Counter()
    kept: list[pa.Table] = []
    rows = 0
    with opened(found, Rules(one_threshold(lowest), species=species)) as query:
        for _, parts in found.sites():
            for batch in query.detections(parts, _COLUMNS):
                table = pa.Table.from_batches([batch])
                group, labels = _groups(table)
                for code, count in zip(*np.unique(group, return_counts=True), strict=True):
                    index, band = divmod(int(code), len(EDGES))
                    counts[labels[index], band] += int(count)
                kept.append(_lowest(table, group, per_band))
                rows += len(kept[-1])
                # Thinned out once in a while, so that what is kept stays small.
                if rows > 2 * per_band * len(counts):
                    kept = [_thinned(kept, per_band)]
                    rows = len(kept[0])
        unanswered = query.unanswered()
    of_label: Counter[str] = Counter()
    for (label, _), count in counts.items():
        of_label[label] += count
    ranked = sorted(of_label, key=lambda label: (-of_label[label], label))
    drawn = _in_order(_thinned(kept, per_band), counts, ranked[:most]) if ranked else []
    return Sample(drawn, len(ranked), unanswered)


def _groups(table: pa.Table) -> tuple[NDArray[np.int64], list[str]]:
    """For each row a number for its label and band, and the labels."""
    label = table.column("label").combine_chunks().dictionary_encode()
    if isinstance(label, pa.ChunkedArray):
        label = label.combine_chunks()
    codes = label.indices.to_numpy().astype(np.int64)
    return codes * len(EDGES) + band_of(table.column("probability").to_numpy()), label.dictionary.to_pylist()


def _lowest(table: pa.Table, group: NDArray[np.int64], per_band: int) -> pa.Table:
    """The rows of each group whose turn comes first."""
    order = np.lexsort((table.column(_TURN).to_numpy(), group))
    first = np.searchsorted(group[order], group[order])
    return table.take(pa.array(order[np.arange(len(order)) - first < per_band]))


def _thinned(tables: Sequence[pa.Table], per_band: int) -> pa.Table:
    table = pa.concat_tables(tables)
    return _lowest(table, _groups(table)[0], per_band)


def _in_order(table: pa.Table, counts: Counter[tuple[str, int]], labels: Sequence[str]) -> list[Drawn]:
    """The detections of these labels, label by label, within one by turns."""
    table = table.filter(pc.is_in(table.column("label"), pa.array(labels, pa.string())))
    rank = {label: number for number, label in enumerate(labels)}
    bands = band_of(table.column("probability").to_numpy()).tolist()
    drawn_in = Counter(zip(table.column("label").to_pylist(), bands, strict=True))
    rows: Iterable[Any] = zip(*(column.to_pylist() for column in table.columns), strict=True)
    drawn = []
    for band, row in zip(bands, rows, strict=True):
        group = row[0], band
        values: list[Any] = [*row[:-1], EDGES[band], EDGES[band + 1], counts[group], drawn_in[group]]
        drawn.append((row[-1], Drawn(*values)))
    drawn.sort(key=lambda each: (rank[each[1].label], each[0]))
    return [each for _, each in drawn]
