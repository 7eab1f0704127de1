"""The labels that a model can give, of which a long table holds only those that were heard."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from birddask.detections.found import Found, Part, read_part
from birddask.detections.rows import label_columns
from birddask.errors import ConfigError
from birddask.fingerprint import sha256_hex
from birddask.models.bundle import LABELS, parse_labels
from birddask.models.cache import find_bundle
from birddask.storage import Options, in_order


@dataclass(frozen=True)
class KnownLabels:
    """Labels of a model.

    Attributes:
        complete: whether these are all; else they are those that its tables hold.
    """

    labels: tuple[str, ...]
    complete: bool


def known_labels(found: Found, model: str, options: Options) -> KnownLabels:
    """The labels of the model that made some results.

    Args:
        found: the results. A wide table names all labels.
        model: the job's; it is asked only if its labels are, by their hash, those of the results.
        options: how to reach it.

    Raises:
        ConfigError: a part was withdrawn meanwhile.
    """
    if found.layout == "wide":
        schema = pq.read_schema(pa.BufferReader(read_part(found.output, found.parts[0])))
        return KnownLabels(tuple(label_columns(schema)), complete=True)
    labels = _of_bundle(found, model, options)
    if labels is not None:
        return KnownLabels(labels, complete=True)

    def in_part(part: Part) -> list[str]:
        table = pq.ParquetFile(pa.BufferReader(read_part(found.output, part))).read(["label"], use_threads=False)
        names: list[str] = table.column("label").combine_chunks().dictionary.to_pylist()
        return names

    return KnownLabels(tuple(sorted({name for names in in_order(in_part, found.parts) for name in names})), False)


def _of_bundle(found: Found, model: str, options: Options) -> tuple[str, ...] | None:
    try:
        folder = find_bundle(model, options)
        content = folder.read(LABELS)
    except (ConfigError, FileNotFoundError):
        return None
    if sha256_hex(content) != found.metadata["model"]["files"]["labels"]:
        return None
    return parse_labels(content, folder.place(LABELS))
