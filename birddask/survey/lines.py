"""A survey as a page for the people who put the recorders out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from textwrap import wrap

from birddask.accounting import RecordingCounts, recordings_lines
from birddask.recordings.reasons import FLAGS, IGNORED, QUARANTINED
from birddask.safe_text import printable
from birddask.survey.deployment import Deployment
from birddask.survey.survey import DamagedFile, Survey

_WIDTH = 100
_LISTED = 5
_DEPLOYMENTS_LISTED = 50
_ON_CLOCKS = (
    "To correct a clock, write under `clocks` in the job file what it showed (`clock`) and what the time really was "
    "(`truth`), then scan with --refresh."
)


def survey_lines(survey: Survey) -> Iterator[str]:
    """The page, line by line."""
    return map(printable, _lines(survey))


def _lines(survey: Survey) -> Iterator[str]:
    yield from recordings_lines(
        RecordingCounts(
            survey.found,
            survey.usable,
            survey.quarantined,
            survey.ignored,
            survey.usable_hours,
            survey.quarantine_reasons,
            survey.ignore_reasons,
        )
    )
    for deployment in survey.deployments[:_DEPLOYMENTS_LISTED]:
        yield from ("", _name(deployment))
        for heading, text in _facts(deployment):
            yield from _hanging(f"  {heading:<11}  ", text)
        yield from _gap_lines(deployment)
    if len(survey.deployments) > _DEPLOYMENTS_LISTED:
        yield from ("", *_more(len(survey.deployments), _DEPLOYMENTS_LISTED, ""))
    yield from _clock_lines([each for each in survey.deployments if _doubts(each)])
    if survey.flags:
        yield from ("", "remarks on usable recordings")
        yield from _explained(survey.flags, FLAGS, ())
    if survey.quarantined:
        yield from ("", f"damaged: {_counted(survey.quarantined, 'file')}")
        yield from _explained(survey.quarantine_reasons, QUARANTINED, survey.damaged_files)
        yield from _lost_site_lines(survey.damaged_sites)
    if survey.ignored:
        yield from ("", f"ignored: {_counted(survey.ignored, 'file')}")
        yield from _explained(survey.ignore_reasons, IGNORED, ())
    if survey.duplicates:
        yield from ("", f"copies: {_counted(survey.duplicates, 'file')}")
        yield from (f"  {copy.path} is a copy of {copy.duplicate_of}" for copy in survey.duplicate_files[:_LISTED])
        yield from _more(survey.duplicates, _LISTED, "  ")


def _name(deployment: Deployment) -> str:
    return f"site {deployment.site}, recorder {deployment.recorder or 'unknown'}"


def _facts(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """The rows of a deployment's block, heading and text; gaps are the last."""
    rates = " and ".join(f"{rate_hz} Hz" for rate_hz in deployment.sample_rates_hz)
    recorded = f"{_counted(deployment.recordings, 'recording')}, {deployment.hours:.2f} h"
    yield "recorded", f"{recorded}, usually {_duration(deployment.usual_length_s)} long, {rates}"
    yield "time", "; ".join(_times(deployment))
    if deployment.models or deployment.firmwares:
        yield "device", ", ".join((*deployment.models, *deployment.firmwares))
    if deployment.lowest_battery_v is not None:
        limit = f"{deployment.lowest_battery_limit} ".lstrip()
        yield "battery", f"{limit}{deployment.lowest_battery_v:g} V at the lowest"
    if deployment.lowest_temperature_c is not None:
        yield "temperature", f"{deployment.lowest_temperature_c:.1f} to {deployment.highest_temperature_c:.1f} °C"
    if deployment.latitude_deg is not None:
        yield "place", f"{deployment.latitude_deg:.5f}, {deployment.longitude_deg:.5f}"
    short = ((deployment.interrupted, "ended early"), (deployment.truncated, "cut short"))
    if any(count for count, _ in short):
        yield "incomplete", ", ".join(f"{count} {what}" for count, what in short if count)
    if deployment.usual_step_s is None:
        yield "schedule", "none to be seen, so gaps can't be told"
        return
    yield "schedule", f"a recording every {_duration(deployment.usual_step_s)}"
    missing = sum(gap.missing for gap in deployment.gaps)
    many = f"{len(deployment.gaps)}, {_counted(missing, 'recording')} missing in all"
    yield "gaps", many if missing else "none"


def _times(deployment: Deployment) -> Iterator[str]:
    if deployment.first_start and deployment.last_start:
        first, last = (
            _local(each, deployment.utc_offset_min) for each in (deployment.first_start, deployment.last_start)
        )
        days = f"on {deployment.days_recorded} of {_counted(deployment.days_spanned, 'day')}"
        yield f"{first} to {last} ({_zone(deployment.utc_offset_min)}), {days}"
    if deployment.starts_in_future:
        yield f"later than now for {_counted(deployment.starts_in_future, 'recording')}"
    if deployment.without_time:
        yield f"not known for {_counted(deployment.without_time, 'recording')}"


def _gap_lines(deployment: Deployment) -> Iterator[str]:
    indent = " " * 15
    for gap in deployment.gaps[:_LISTED]:
        last, first = (_local(each, deployment.utc_offset_min) for each in (gap.last_before, gap.first_after))
        yield f"{indent}{last} to {first}, {_counted(gap.missing, 'recording')}"
    yield from _more(len(deployment.gaps), _LISTED, indent)


def _clock_lines(deployments: Sequence[Deployment]) -> Iterator[str]:
    if not deployments:
        return
    yield from ("", "clocks that are off or in doubt")
    for deployment in deployments[:_DEPLOYMENTS_LISTED]:
        yield f"  {_name(deployment)}"
        yield from (f"    {doubt}" for doubt in _doubts(deployment))
    yield from _more(len(deployments), _DEPLOYMENTS_LISTED, "  ")
    yield from _hanging("  ", _ON_CLOCKS)


def _doubts(deployment: Deployment) -> list[str]:
    """What is wrong with a deployment's clock."""
    doubts = []
    if deployment.clock_unset:
        shown = f"; it showed {deployment.first_unset_clock} at first" if deployment.first_unset_clock else ""
        doubts.append(f"{_counted(deployment.clock_unset, 'recording')} of a clock that was not set{shown}")
    if deployment.starts_in_future:
        doubts.append(
            f"{_counted(deployment.starts_in_future, 'recording')} later than now, "
            f"from {deployment.first_future_start} on"
        )
    if deployment.time_conflicts:
        doubts.append(f"{_counted(deployment.time_conflicts, 'recording')} with two start times that differ")
    return doubts


def _explained(counts: Mapping[str, int], words: Mapping[str, str], files: Sequence[DamagedFile]) -> Iterator[str]:
    """Codes with their counts and words in columns, below each the first files."""
    code_width = max(len(code) for code in counts)
    count_width = max(len(str(count)) for count in counts.values())
    for code, count in counts.items():
        explanation = words.get(code, "")
        yield from _hanging(f"  {code:<{code_width}}  {count:>{count_width}}  ", explanation)
        named = [file for file in files if file.reason == code][:_LISTED]
        for file in named:
            yield f"    {file.path}"
            if file.detail not in explanation:
                yield from _hanging(" " * 6, file.detail)
        if named:
            yield from _more(count, _LISTED, "    ")


def _lost_site_lines(damaged_sites: Mapping[str, int]) -> Iterator[str]:
    for site, count in list(damaged_sites.items())[:_LISTED]:
        yield f"  site {site} has nothing usable, {_counted(count, 'damaged file')}"
    yield from _more(len(damaged_sites), _LISTED, "  ")


def _more(total: int, listed: int, indent: str) -> Iterator[str]:
    if total > listed:
        yield f"{indent}and {total - listed} more"


def _hanging(heading: str, text: str) -> list[str]:
    """Text in lines of at most 100 letters beside a heading; words that are longer stay whole."""
    wrapped = wrap(
        text,
        _WIDTH,
        initial_indent=heading,
        subsequent_indent=" " * len(heading),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped or [heading.rstrip()]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, left_s = divmod(round(seconds), 60)
    hours, left_min = divmod(minutes, 60)
    parts = ((hours, "h"), (left_min, "min"), (left_s, "s"))
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)


def _local(moment: str, utc_offset_min: int | None) -> str:
    local = datetime.fromisoformat(moment) + timedelta(minutes=utc_offset_min or 0)
    return f"{local:%Y-%m-%d %H:%M}"


def _zone(utc_offset_min: int | None) -> str:
    if not utc_offset_min:
        return "UTC"
    hours, minutes = divmod(abs(utc_offset_min), 60)
    return f"UTC{'-' if utc_offset_min < 0 else '+'}{hours}{f':{minutes:02}' if minutes else ''}"
