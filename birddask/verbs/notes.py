"""What a run leaves of itself in ``runs/``: a note, written anew while it goes on, for anybody to see how it stands."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from birddask.accounting import Accounting
from birddask.documents import document, parse, to_mapping
from birddask.engine.events import Advanced, Begun, BlockFailed, Crew, Event, Stalled, Watch
from birddask.errors import BirddaskError, Stopped
from birddask.recordings.moments import to_microseconds
from birddask.storage import Folder
from birddask.verbs.prepared import Prepared

_BEAT_EVERY_S = 15.0
# A driver waits two minutes for storage that is away, and its clock may be off a little.
_SILENT_AFTER_S = 180.0
_SCHEMA = 2
_NOTE = re.compile(r"runs/\d{8}T\d{12}Z-[a-z]+\.json")
_NOTES_AT_MOST = 5

State = Literal["running", "complete", "incomplete", "stopped", "failed"]


@document
@dataclass(frozen=True)
class RunNote:
    """A run, as its driver saw it last.

    Attributes:
        schema: version of this format.
        verb: what was asked for: ``mels``, ``classify`` or ``run``.
        state: ``running``; ``complete``; ``incomplete``: it ended, and something is left to do; ``stopped``: somebody
            asked for it; ``failed``: it could not go on, ``message`` says why.
        began: when.
        heard: when the driver wrote this.
        host: machine of the driver.
        process: its number there.
        birddask: version.
        job: every setting.
        model_fingerprint: short hash of the model.
        mel_spec_fingerprint: short hash of the mel spec.
        activity: what it does, or did last, for example ``scan``.
        done: of ``total`` blocks, or files of a scan, whose number is not known before; failed ones are not counted.
        total: how many there are to do; None where they are counted on the way.
        things: what ``done`` counts: ``blocks`` or ``files``.
        audio_s: length of the clips in the blocks that are done.
        workers: how many are there.
        threads: tasks at a time.
        failures: messages by block.
        stalled: tasks that ran for much longer than tasks do.
        message: why it could not go on.
        accounting: of the output, when the run ended.
    """

    schema: int
    verb: str
    state: State
    began: datetime
    heard: datetime
    host: str
    process: int
    birddask: str
    job: Mapping[str, Any]
    model_fingerprint: str
    mel_spec_fingerprint: str
    activity: str = ""
    done: int = 0
    total: int | None = None
    things: str = ""
    audio_s: float = 0.0
    workers: int = 0
    threads: int = 0
    failures: Mapping[int, str] = field(default_factory=dict)
    stalled: tuple[str, ...] = ()
    message: str = ""
    accounting: Mapping[str, Any] | None = None

    def silent_s(self, now: datetime) -> float:
        """How long nothing was heard of it."""
        return (to_microseconds(now) - to_microseconds(self.heard)) / 1e6

    def is_alive(self, now: datetime) -> bool:
        """Whether its driver goes on, as far as one can know from here."""
        return self.state == "running" and self.silent_s(now) < _SILENT_AFTER_S


class Notebook:
    """Keeps the note of a run up to date; events and beats come from different threads."""

    def __init__(self, verb: str, prepared: Prepared) -> None:
        now = datetime.now(UTC)
        self._folder = prepared.job.output_folder
        self._key = f"runs/{now:%Y%m%dT%H%M%S%fZ}-{verb}.json"
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._note = RunNote(
            schema=_SCHEMA,
            verb=verb,
            state="running",
            began=now,
            heard=now,
            host=socket.gethostname(),
            process=os.getpid(),
            birddask=importlib.metadata.version("birddask"),
            job=to_mapping(prepared.job),
            model_fingerprint=prepared.card.fingerprint,
            mel_spec_fingerprint=prepared.card.mels.fingerprint,
        )

    def watching(self, other: Watch) -> Watch:
        """Tells of events to the notebook, and then to somebody else."""

        def watch(event: Event) -> None:
            with self._lock:
                self._note = _after(self._note, event)
            other(event)

        return watch

    def beat(self) -> None:
        """Write the note as it stands; the last one written is the latest."""
        with self._writing:
            with self._lock:
                self._note = dataclasses.replace(self._note, heard=datetime.now(UTC))
                content = json.dumps(to_mapping(self._note), indent=2) + "\n"
            self._folder.publish_soon(self._key, content.encode())

    def close(self, state: State, message: str = "", accounting: Accounting | None = None) -> None:
        """Write how the run ended."""
        with self._lock:
            counted = None if accounting is None else asdict(accounting)
            self._note = dataclasses.replace(self._note, state=state, message=message, accounting=counted)
        self.beat()


@contextlib.contextmanager
def noted(verb: str, prepared: Prepared) -> Iterator[Notebook]:
    """The notebook of a run, written every few seconds; whoever opens it closes it, unless the run breaks off."""
    notebook = Notebook(verb, prepared)
    notebook.beat()
    over = threading.Event()

    def beat_on() -> None:
        while not over.wait(_BEAT_EVERY_S):
            # A beat that storage does not take is none: the run itself finds out whether storage is away for good.
            with contextlib.suppress(BirddaskError):
                notebook.beat()

    heart = threading.Thread(target=beat_on, name="heartbeat", daemon=True)
    heart.start()
    try:
        yield notebook
    except BaseException as error:
        stopped = isinstance(error, Stopped | KeyboardInterrupt)
        with contextlib.suppress(BirddaskError):
            notebook.close("stopped" if stopped else "failed", str(error) or type(error).__name__)
        raise
    finally:
        over.set()
        heart.join()


def recent_notes(output: Folder) -> list[RunNote]:
    """The last few runs on an output, the latest last; notes of another version are left out."""
    keys = [file.key for file in output.files("runs") if _NOTE.fullmatch(file.key)]
    notes = []
    for key in keys[-_NOTES_AT_MOST:]:
        content = json.loads(output.read(key))
        if content.get("schema") == _SCHEMA:
            notes.append(parse(RunNote, content, output.place(key)))
    return notes


def _after(note: RunNote, event: Event) -> RunNote:
    match event:
        case Begun():
            return dataclasses.replace(
                note, activity=event.activity, done=0, total=event.total, things=event.things, audio_s=0.0
            )
        case Advanced():
            return dataclasses.replace(note, done=note.done + event.count, audio_s=note.audio_s + event.audio_s)
        case BlockFailed():
            return dataclasses.replace(note, failures={**note.failures, event.block: event.message})
        case Crew():
            return dataclasses.replace(note, workers=event.workers, threads=event.threads)
        case Stalled():
            return dataclasses.replace(note, stalled=(*note.stalled, f"{event.what} on {event.worker}"))
