"""The results that lie in an output: of which model, in which parts. Neither the model nor the mels are needed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from birddask.documents import parse
from birddask.errors import ConfigError
from birddask.mels.store import MelStore, open_store
from birddask.outputs import stores
from birddask.plan import ClipRule
from birddask.storage import Folder
from birddask.table.parquet import read_metadata

_PART = re.compile(r"model=(?P<model>[^/]+)/site=(?P<site>[^/]+)/month=[^/]+/block-(?P<block>\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class Part:
    """The probabilities of one block.

    Attributes:
        key: below ``probabilities/`` of the output.
        modified_us: when it was written, in microseconds since 1970 UTC; None if the listing does not say.
    """

    key: str
    site: str
    block: int
    size_bytes: int
    modified_us: int | None


@dataclass(frozen=True)
class Found:
    """The results of one model over one store.

    Attributes:
        output: of the job.
        name: of the folder below ``probabilities/``, without ``model=``.
        parts: ordered by site, then block.
        clip: how recordings were cut.
        metadata: what the parts record of themselves.
    """

    output: Folder
    name: str
    parts: tuple[Part, ...]
    clip: ClipRule
    metadata: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The model, for people."""
        return str(self.metadata["model"]["title"])

    @property
    def layout(self) -> Literal["wide", "long"]:
        """How the parts are laid out."""
        layout: Literal["wide", "long"] = self.metadata["layout"]["kind"]
        return layout

    @property
    def mel_spec_fingerprint(self) -> str:
        """Which store was scored."""
        return str(self.metadata["mel_spec_fingerprint"])

    def sites(self) -> Iterator[tuple[str, list[Part]]]:
        """The parts of one site after the other."""
        for site, parts in itertools.groupby(self.parts, key=lambda part: part.site):
            yield site, list(parts)


def find_results(output: Folder, model: str | None) -> Found:
    """The results in an output, as ``results_in`` finds them.

    Raises:
        ConfigError: there are none, or not of this model, or of several.
    """
    found = results_in(output, model)
    if found is None:
        raise ConfigError(f"there are no probabilities in {output.url} yet; `birddask run` makes them")
    return found


def results_in(output: Folder, model: str | None) -> Found | None:
    """The results in an output, by one listing; None if there are none of any model.

    Args:
        output: of the job.
        model: name of the folder below ``probabilities/``, without ``model=``, or how it begins; needed only if there
            are several.

    Raises:
        ConfigError: there are results, but not of this model, or of several.
    """
    folder = output.child("probabilities")
    by_model: dict[str, list[Part]] = {}
    for file in folder.files():
        match = _PART.fullmatch(file.key)
        if match is not None:
            part = Part(file.key, unquote(match["site"]), int(match["block"]), file.size_bytes, file.modified_us)
            by_model.setdefault(match["model"], []).append(part)
    if not by_model:
        return None
    name = _chosen(sorted(by_model), model, folder)
    parts = sorted(by_model[name], key=lambda part: (part.site, part.block))
    place = folder.place(parts[0].key)
    metadata: Mapping[str, Any] = read_metadata(read_part(output, parts[0]))
    clip = parse(ClipRule, metadata["model"]["mels"]["clip"], place)
    return Found(output, name, tuple(parts), clip, metadata)


def read_part(output: Folder, part: Part) -> bytes:
    """The file of a part.

    Raises:
        ConfigError: it is not there any more.
    """
    key = f"probabilities/{part.key}"
    try:
        return output.read(key)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{output.place(key)} was withdrawn while it was read, by a run that makes it anew; start again when the "
            "run is over"
        ) from error


def scored_store(found: Found) -> MelStore:
    """The store whose mels were scored.

    Raises:
        ConfigError: it is not in the output any more.
    """
    for name in stores(found.output):
        store = open_store(found.output.child("mels", name))
        if store.spec.fingerprint == found.mel_spec_fingerprint:
            return store
    raise ConfigError(
        f"the store that {found.name} scored is not in {found.output.url}/mels, and its clip tables and mels with it"
    )


def _chosen(there: list[str], model: str | None, folder: Folder) -> str:
    if model in there:
        return model
    fitting = [name for name in there if name.startswith(model or "")]
    if len(fitting) != 1:
        raise ConfigError(f"name one model of {folder.url} with --model (there: {', '.join(there)})")
    return fitting[0]
