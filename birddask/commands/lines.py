"""How verbs end, outputs stand, plans look and whose a model is, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from birddask.accounting import Accounting, accounting_lines, recordings_lines
from birddask.documents import to_yaml
from birddask.job import Job
from birddask.models.card import ModelCard
from birddask.scanning.scan import Growth
from birddask.verbs.blocks import Ended
from birddask.verbs.dtypes import Stored
from birddask.verbs.notes import RunNote
from birddask.verbs.prepared import Prepared
from birddask.verbs.status import Intention, Standing


def status_lines(standing: Standing, now: datetime) -> Iterator[str]:
    """Law 4 for an output, and how its last runs stand."""
    yield from accounting_lines(Accounting(standing.recordings, standing.mels, standing.scores))
    for note in standing.runs:
        if note.state == "running" or note is standing.runs[-1]:
            yield from _run_lines(note, now)


def _run_lines(note: RunNote, now: datetime) -> Iterator[str]:
    where = f"{note.verb} of {note.began:%Y-%m-%d %H:%M:%S} UTC, process {note.process} on {note.host}"
    done = f"{note.done}{f' of {note.total}' if note.total is not None else ''} {note.things}"
    progress = f"{note.activity}: {done}" if note.activity else "it only began"
    heard = span(max(0.0, note.silent_s(now)))
    if note.is_alive(now):
        yield f"running: {where}, {note.workers} workers; {progress}; heard {heard} ago"
    elif note.state == "running":
        yield (
            f"broken off: {where}; nothing was heard of it for {heard}, so it was killed or can't "
            f"reach the output; last of all {progress}"
        )
    else:
        said = f": {note.message}" if note.message else ""
        yield f"{note.state}: {where}, ended {note.heard:%Y-%m-%d %H:%M:%S}{said}"
    for block, message in sorted(note.failures.items()):
        yield f"  block {block} failed: {message}"
    for stalled in note.stalled:
        yield f"  ran for very long: {stalled}"


def ended_lines(ended: Ended) -> Iterator[str]:
    """What a verb did, and how the output stands."""
    if ended.blocks:
        yield (
            f"done: {ended.blocks} blocks, {ended.audio_s / 3600:.2f} h of audio in {ended.wall_s:.1f} s, "
            f"{ended.audio_s / ended.wall_s:.0f}x real time"
        )
    yield from accounting_lines(ended.accounting)
    if ended.growth:
        yield from growth_lines(ended.growth)
    for block, message in sorted(ended.failures.items()):
        yield f"block {block} failed: {message}"
    if ended.stopped:
        yield "stopped as asked"
    if not ended.complete:
        yield _what_goes_on(ended.accounting)
    elif not ended.blocks:
        yield "nothing is left to do"


def growth_lines(growth: Growth) -> Iterator[str]:
    """What is not as earlier scans found it, and what to do about it."""
    if growth.changed:
        yield f"changed since they were scanned: {_paths(growth.changed, growth.changed_paths)}"
        yield "  their results are those of before; --refresh makes them anew"
    if growth.vanished:
        yield f"not there any more: {_paths(growth.vanished, growth.vanished_paths)}"
        yield "  their mels and results stay"
    if growth.rule_changed:
        yield "site, utc_offset or clocks in the job are not those of earlier scans, whose rows stay as they are;"
        yield "  --refresh applies them to all recordings"


def intention_lines(prepared: Prepared, intention: Intention) -> Iterator[str]:
    """What a run would do, with every setting that holds."""
    clip = prepared.card.mels.clip
    yield from job_lines(prepared.job)
    yield (
        f"model: {prepared.card.title}, {prepared.card.licence}; clips of "
        f"{clip.length_samples / clip.sample_rate_hz:g} s every {clip.hop_samples / clip.sample_rate_hz:g} s "
        f"at {clip.sample_rate_hz} Hz"
    )
    yield from recordings_lines(intention.recordings)
    yield f"new files: {intention.new_files}"
    clips = sum(intention.clips_by_site.values())
    yield (
        f"plan: {clips} clips in {intention.blocks} blocks of up to "
        f"{intention.store.clips_per_block}, {intention.blocks_pending} blocks to do"
    )
    for site, count in intention.clips_by_site.items():
        yield f"  site {site}: {count} clips"
    yield f"store: {intention.store.folder.url}"
    for stored in intention.stored:
        yield _stored_line(stored, clips, ours=stored.dtype == intention.store.spec.dtype)
    yield f"memory: about {_size(intention.worker_bytes)} a worker"
    yield f"time: about {span(intention.worker_s)} for one worker like this machine's, shared between all workers"
    yield f"probabilities: {prepared.results.folder.url}, {prepared.results.layout.kind} tables"
    if prepared.results.embeddings is not None:
        yield f"embeddings: {prepared.results.embeddings_folder.url}, {prepared.results.embeddings}"
    yield "nothing was written"


def _stored_line(stored: Stored, clips: int, *, ours: bool) -> str:
    effect = (
        "can't hold the mels of the model's known clip"
        if stored.off is None
        else f"scores of the model's known clip change by up to {stored.off:.1g}"
    )
    return (
        f"  {stored.dtype}{', as in this job' if ours else ''}: at most {_size(clips * stored.clip_bytes)} before "
        f"compression; {effect}"
    )


def job_lines(job: Job) -> Iterator[str]:
    """Every setting of a job, defaults included, as it would stand in its file."""
    for line in to_yaml(job).splitlines():
        yield f"  {line}"


def _what_goes_on(accounting: Accounting) -> str:
    if accounting.mels.clips_pending:
        return f"not complete: {accounting.mels.clips_pending} clips have no mels yet; `birddask run` goes on with them"
    return (
        f"not complete: {accounting.scores.clips_pending} clips wait to be scored; the same command goes on with them"
    )


def span(seconds: float) -> str:
    """A length of time in the two largest units that matter."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest} s"


def _paths(count: int, first: Sequence[str]) -> str:
    more = f" and {count - len(first)} more" if count > len(first) else ""
    return f"{count} ({', '.join(first)}{more})"


def _size(size_bytes: int) -> str:
    mib = size_bytes / (1 << 20)
    return f"{mib / 1024:.2f} GiB" if mib >= 100 else f"{mib:.1f} MiB"


def card_lines(card: ModelCard) -> Iterator[str]:
    """Whose a model is, and on which terms."""
    yield card.title
    yield f"licence: {card.licence}"
    yield f"attribution: {card.attribution}"
