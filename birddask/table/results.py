"""Where the probabilities of one model lie, and what each part records of itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from birddask.documents import to_mapping
from birddask.fingerprint import fingerprint
from birddask.models.card import ModelCard
from birddask.plan import Block
from birddask.software import CHANGES_NUMBERS, version_of
from birddask.storage import Folder
from birddask.table.parquet import read_metadata
from birddask.table.parts import ClipRow, PartLayout, probabilities_file

_PART = re.compile(r"(?:^|/)block-(\d+)\.parquet$")
BLOCK_FILE = np.dtype([("block", "<i8"), ("size_bytes", "<i8"), ("modified_us", "<i8")])
_ASCII = re.compile(r"[\x00-\x7f]")
_SCHEMA = 1


@dataclass(frozen=True)
class Results:
    """The parts of one model over one store.

    Attributes:
        output: of the job.
        card: of the model, with the mel spec of the store in it.
        layout: of the parts.
    """

    output: Folder
    card: ModelCard
    layout: PartLayout

    @property
    def name(self) -> str:
        """The model's name, and a hash of every setting that changes a row."""
        decides = [self.card.fingerprint, asdict(self.layout), _SCHEMA]
        return f"{self.card.name}-{fingerprint(decides)}"

    @property
    def folder(self) -> Folder:
        """The folder of all parts."""
        return self.output.child("probabilities", f"model={self.name}")

    def write(
        self,
        block: Block,
        rows: Sequence[ClipRow],
        probabilities: NDArray[np.float32],
        labels: Sequence[str],
    ) -> None:
        """Publish the part of a block, which commits the block."""
        content = probabilities_file(rows, probabilities, labels, self.layout, self._metadata())
        self.folder.publish(part_key(block), content)

    def _metadata(self) -> dict[str, object]:
        return {
            "schema": _SCHEMA,
            "model": to_mapping(self.card),
            "model_fingerprint": self.card.fingerprint,
            "mel_spec_fingerprint": self.card.mels.fingerprint,
            "layout": asdict(self.layout),
            "software": {package: version_of(package) for package in CHANGES_NUMBERS},
        }


def part_key(block: Block) -> str:
    """Where the part of a block lies below the folder of its results; hive partitions, percent-encoded.

    Only ASCII is encoded: a long site in another script would else be too long for a folder's name.
    """
    site = _ASCII.sub(lambda match: quote(match[0], safe=""), block.site)
    return f"site={site}/month={block.month}/block-{block.number:06d}.parquet"


def block_files(folder: Folder) -> NDArray[np.void]:
    """For each block that has a file below a folder ``block``, ``size_bytes``, ``modified_us``, in order: one listing.

    ``modified_us`` is in microseconds since 1970 UTC, -1 where the listing does not say.
    """
    matches = ((_PART.search(file.key), file) for file in folder.files())
    found = (
        (int(match[1]), file.size_bytes, -1 if file.modified_us is None else file.modified_us)
        for match, file in matches
        if match
    )
    files = np.fromiter(found, BLOCK_FILE)
    _, first = np.unique(files["block"], return_index=True)
    return files[first]


def block_numbers(folder: Folder) -> NDArray[np.int64]:
    """The numbers of all blocks that have a file below a folder, in order: one listing."""
    matches = (_PART.search(key) for key in folder.file_keys())
    return np.unique(np.fromiter((int(match[1]) for match in matches if match), np.int64))


def parts_of_blocks(output: Folder, mel_spec_fingerprint: str, blocks: Container[int]) -> Mapping[int, Sequence[str]]:
    """Keys below the output of the parts that models made of some blocks of the store with this spec: one listing."""
    folder = output.child("probabilities")
    specs: dict[str, object] = {}
    parts: dict[int, list[str]] = defaultdict(list)
    for key in folder.file_keys():
        model, _, part = key.partition("/")
        match = _PART.search(part)
        if match is None or int(match[1]) not in blocks:
            continue
        if model not in specs:
            specs[model] = read_metadata(folder.read(key))["mel_spec_fingerprint"]
        if specs[model] == mel_spec_fingerprint:
            parts[int(match[1])].append(f"probabilities/{key}")
    return parts
