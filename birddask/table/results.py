"""Where the probabilities and embeddings of one model lie, and what each part records of itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from birddask.documents import to_mapping
from birddask.errors import ModelError
from birddask.fingerprint import fingerprint
from birddask.models.card import ModelCard
from birddask.plan import Block
from birddask.software import CHANGES_NUMBERS, version_of
from birddask.storage import Folder
from birddask.table.block_files import block_file_name, block_numbers, block_of
from birddask.table.clip_table import ClipRow
from birddask.table.parquet import read_metadata
from birddask.table.parts import EmbeddingType, PartLayout, embeddings_file, probabilities_file

_ASCII = re.compile(r"[\x00-\x7f]")
_SCHEMA = 1


@dataclass(frozen=True)
class Results:
    """The parts of one model over one store.

    Attributes:
        output: of the job.
        card: of the model, with the mel spec of the store in it.
        layout: of the parts.
        embeddings: how they are stored; None if they are not asked for.
    """

    output: Folder
    card: ModelCard
    layout: PartLayout
    embeddings: EmbeddingType | None = None

    @property
    def name(self) -> str:
        """The model's name, and a hash of every setting that changes a row."""
        decides = [self.card.fingerprint, asdict(self.layout), _SCHEMA]
        return f"{self.card.name}-{fingerprint(decides)}"

    @property
    def folder(self) -> Folder:
        """The folder of all parts."""
        return self.output.child("probabilities", f"model={self.name}")

    @property
    def embeddings_folder(self) -> Folder:
        """The folder of all embeddings; they do not depend on the layout of the probabilities."""
        decides = [self.card.fingerprint, self.embeddings, _SCHEMA]
        return self.output.child("embeddings", f"model={self.card.name}-{fingerprint(decides)}")

    def write(
        self,
        block: Block,
        rows: Sequence[ClipRow],
        probabilities: NDArray[np.float32],
        labels: Sequence[str],
        embeddings: NDArray[np.float32],
    ) -> None:
        """Publish the embeddings of a block, if they are asked for, then its part, which commits the block.

        Args:
            block: which.
            rows: the clips that were scored.
            probabilities: float32 (clip, label), 0 to 1.
            labels: names of the labels.
            embeddings: float32 (clip, width); not looked at unless they are asked for.

        Raises:
            ModelError: an embedding is too large for float16.
        """
        if self.embeddings is not None:
            with np.errstate(over="ignore"):
                stored = embeddings.astype(self.embeddings)
            if not np.isfinite(stored).all():
                raise ModelError(
                    f"block {block.number}: an embedding of {self.card.name} is too large for float16; write "
                    "`embeddings: float32` in the job file"
                )
            content = embeddings_file(rows, stored, {**self._metadata(), "embeddings": self.embeddings})
            self.embeddings_folder.publish(part_key(block), content)
        metadata = {**self._metadata(), "layout": asdict(self.layout)}
        content = probabilities_file(rows, probabilities, labels, self.layout, metadata)
        self.folder.publish(part_key(block), content)

    def committed(self) -> NDArray[np.int64]:
        """The numbers of the blocks that have a part, and embeddings if these are asked for: one listing of each."""
        parts = block_numbers(self.folder)
        return parts if self.embeddings is None else np.intersect1d(parts, block_numbers(self.embeddings_folder))

    def _metadata(self) -> dict[str, object]:
        return {
            "schema": _SCHEMA,
            "model": to_mapping(self.card),
            "model_fingerprint": self.card.fingerprint,
            "mel_spec_fingerprint": self.card.mels.fingerprint,
            "software": {package: version_of(package) for package in CHANGES_NUMBERS},
        }


def part_key(block: Block) -> str:
    """Where the part of a block lies below the folder of its results; hive partitions, percent-encoded.

    Only ASCII is encoded: a long site in another script would else be too long for a folder's name.
    """
    site = _ASCII.sub(lambda match: quote(match[0], safe=""), block.site)
    return f"site={site}/month={block.month}/{block_file_name(block.number)}"


def parts_of_blocks(output: Folder, mel_spec_fingerprint: str, blocks: Container[int]) -> Mapping[int, Sequence[str]]:
    """Keys below the output of the parts that models made of some blocks of the store with this spec: two listings.

    Of each block its probabilities, which commit it, come before its embeddings.
    """
    specs: dict[tuple[str, str], object] = {}
    parts: dict[int, list[str]] = defaultdict(list)
    for kind in ("probabilities", "embeddings"):
        for key in output.file_keys(kind):
            model = key.removeprefix(f"{kind}/").partition("/")[0]
            block = block_of(key)
            if block is None or block not in blocks:
                continue
            if (kind, model) not in specs:
                specs[kind, model] = read_metadata(output.read(key))["mel_spec_fingerprint"]
            if specs[kind, model] == mel_spec_fingerprint:
                parts[block].append(key)
    return parts
