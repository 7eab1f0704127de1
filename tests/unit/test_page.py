"""What stands on the page of ``birddask report``, against loops over the rows."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from birddask.detections.found import find_results
from birddask.detections.rules import Rules, Thresholds, one_threshold
from birddask.effort import count_effort
from birddask.job import Job
from birddask.page.analysed import Clock, Effects, all_of, sites_of
from birddask.page.build import build
from birddask.page.charts import Axis, bars
from birddask.page.days import columns_of_days
from birddask.page.heard import BEST_SHOWN, SPECIES_SHOWN, count_heard
from birddask.page.render import render
from birddask.safe_text import printable
from birddask.survey.survey import survey
from tests.support.outputs import LONG, NOON_US, WIDE, MadeUp, made_up, recording

US_PER_H = 3_600_000_000
THRESHOLD = np.float32(0.4)
DATES = [f"2025-05-0{day}" for day in (1, 2, 3, 4)]
HOURS = ["0:00", "6:00", "12:00", "18:00"]


def example(tmp_path: Path, count: int = 4, layout: object = LONG) -> MadeUp:
    """Three sites over some days; times unknown, offsets stated and not; silent clips."""
    rows = [
        recording("ridge/0.wav", 5, NOON_US + 11 * US_PER_H, utc_offset_min=600),
        recording("ridge/1.wav", 7200, NOON_US + 40 * US_PER_H),
        recording("stream/0.wav", 3.5, None),
        recording("stream/1.wav", 4, NOON_US - 12 * US_PER_H),
        recording('a\'s "bog"/0.wav', 3, NOON_US),
    ]
    labels = [f"Turdus n{'a' * n}_Thrush {n}" for n in range(count)]
    output = made_up(tmp_path, rows, labels, layout=layout, clips_per_block=1040)
    scores = {path: each.copy() for path, each in output.scores.items()}
    scores["ridge/1.wav"][::7] = np.nan
    output = replace(output, scores=scores)
    output.fill()
    return output


@dataclass(frozen=True)
class Scored:
    site: str
    recording: str
    moment: datetime | None
    start_us: int
    scores: np.ndarray


def scored_clips(output: MadeUp, local_offset_min: int | None) -> Iterator[Scored]:
    for row in output.recordings:
        path, start_us = row.recording.path, row.recording.start_time_us
        stated = row.about.utc_offset_min
        offset = 0 if local_offset_min is None else local_offset_min if stated is None else stated
        for number, scores in enumerate(output.scores[path]):
            moment = None
            if start_us is not None:
                begin_us = start_us + number * 1_000_000
                moment = datetime.fromtimestamp(begin_us / 1e6, UTC) + timedelta(minutes=offset)
            if not np.isnan(scores).any():
                yield Scored(row.recording.site, path, moment, number * 1_000_000, scores)


@pytest.mark.parametrize("layout", [LONG, WIDE])
@pytest.mark.parametrize("local_offset_min", [None, -180])
def test_numbers_are_those_of_a_loop_over_all_clips(
    layout: object, local_offset_min: int | None, tmp_path: Path
) -> None:
    output = example(tmp_path, layout=layout)
    clips = list(scored_clips(output, local_offset_min))
    heard, unanswered = count_heard(
        find_results(output.folder, None), Rules(one_threshold(float(THRESHOLD))), local_offset_min
    )
    assert unanswered == []
    assert heard.scored == len(clips)
    assert heard.without_time == sum(clip.moment is None for clip in clips)
    assert Counter(dict(zip(heard.sites, heard.by_site.scored.tolist(), strict=True))) == Counter(
        clip.site for clip in clips
    )
    days = [clip.moment.toordinal() for clip in clips if clip.moment]
    epoch = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
    assert heard.first_day == min(days) - epoch
    assert heard.by_day.scored.tolist() == np.bincount(np.array(days) - min(days)).tolist()
    best = [int(clip.scores.max() * np.float64(20)) for clip in clips]
    assert heard.by_score.scored.tolist() == np.bincount(best, minlength=20).tolist()
    assert heard.detections == sum(int((clip.scores >= THRESHOLD).sum()) for clip in clips)
    assert sorted(heard.labels) == sorted(output.labels)
    for place, species in enumerate(heard.species):
        label = output.labels.index(species.label)
        own = [clip for clip in clips if clip.scores[label] >= THRESHOLD]
        assert species.clips == len(own)
        assert species.sites == len({clip.site for clip in own})
        hours = [clip.moment.hour for clip in own if clip.moment]
        assert heard.by_hour.heard[place].tolist() == np.bincount(hours, minlength=24).tolist()
        assert heard.by_day.heard[place].sum() == len(hours)
        assert heard.by_site.heard[place].tolist() == [sum(clip.site == site for clip in own) for site in heard.sites]
        in_order = sorted(own, key=lambda clip: (-clip.scores[label], clip.recording, clip.start_us))
        surest = {clip.recording: clip for clip in reversed(in_order)}
        expected = sorted(surest.values(), key=lambda clip: (-clip.scores[label], clip.recording))[:BEST_SHOWN]
        assert [(each.recording, each.start_us, each.probability) for each in species.best] == [
            (clip.recording, clip.start_us, float(clip.scores[label])) for clip in expected
        ]
    assert [species.clips for species in heard.species] == sorted((each.clips for each in heard.species), reverse=True)


def test_species_are_at_most_so_many(tmp_path: Path) -> None:
    output = example(tmp_path, count=SPECIES_SHOWN + 5)
    heard, _ = count_heard(find_results(output.folder, None), Rules(one_threshold(0.4)), None)
    assert len(heard.species) == SPECIES_SHOWN
    assert len(heard.labels) == SPECIES_SHOWN + 5
    assert heard.by_hour.heard.shape == (SPECIES_SHOWN, 24)


def test_batches_of_recordings_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = example(tmp_path)
    found = find_results(output.folder, None)
    rules = Rules(one_threshold(0.4))
    whole, _ = count_heard(found, rules, None)
    monkeypatch.setattr("birddask.detections.query._BATCH_BYTES", 1)
    in_batches, _ = count_heard(found, rules, None)
    assert in_batches.species == whole.species
    for name in ("by_hour", "by_day", "by_site", "by_score"):
        assert (getattr(in_batches, name).heard == getattr(whole, name).heard).all()
        assert (getattr(in_batches, name).scored == getattr(whole, name).scored).all()


def test_what_was_scored_is_what_effort_says(tmp_path: Path) -> None:
    output = example(tmp_path)
    found = find_results(output.folder, None)
    heard, _ = count_heard(found, Rules(one_threshold(0.4)), None)
    efforts = count_effort(found, None)
    total: Effects = all_of(efforts)
    assert total.clips["scored"] == heard.scored
    sites = sites_of(efforts, survey(output.recordings, NOON_US + 1000 * US_PER_H))
    assert {site.name: site.total.clips["scored"] for site in sites} == dict(
        zip(heard.sites, heard.by_site.scored.tolist(), strict=True)
    )
    assert [site.name for site in sites] == list(heard.sites)
    assert [(site.first_day, site.last_day, site.days, site.recordings) for site in sites] == [
        ("2024-05-01", "2024-05-03", 2, 2),
        ("2024-05-01", "2024-05-01", 1, 2),
        ("2024-05-01", "2024-05-01", 1, 1),
    ]


def words_of(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<(style|svg)\b.*?</\1>|<[^>]*>", " ", page.decode(), flags=re.DOTALL))


def page_of(output: MadeUp, rules: Rules, clock: Clock) -> bytes:
    job = Job("/nowhere/archive", output.folder.url, "tiny")
    return render(build(job, find_results(output.folder, None), rules, clock))


def test_the_page_says_by_which_rules_and_clock_and_what_it_lacks(tmp_path: Path) -> None:
    output = example(tmp_path)
    output.draw()
    rules = Rules(Thresholds(0.4, {"thrash 9": 0.2}))
    page = page_of(output, rules, Clock(-210))
    words = words_of(page)
    assert "thresholds: 1 by name, 0.4 for other labels" in words
    assert "No label answers to: thrash 9." in words
    assert "-03:30" in words
    assert "there is no sound, as the archive could not be reached" in words
    assert "A model for tests. Licence: Apache-2.0. birddask." in words
    assert "Probabilities below 0.01 were not kept" in words
    assert page.count(b"<figure>") == page.count(b'alt="Spectrogram"') > 4
    assert b"<audio" not in page
    assert len(page) < 500_000


def test_mels_that_are_gone_leave_the_page_without_pictures(tmp_path: Path) -> None:
    output = example(tmp_path)
    words = words_of(page_of(output, Rules(one_threshold(0.4)), Clock(None)))
    assert "The mels of this clip are not in the store any more." in words
    assert "Times are UTC." in words


def test_nothing_heard_is_a_page_too(tmp_path: Path) -> None:
    output = example(tmp_path)
    words = words_of(page_of(output, Rules(one_threshold(1.0)), Clock(None)))
    assert "detections 0" in words
    assert "Best clips" not in words


def test_no_known_time_and_many_sites(tmp_path: Path) -> None:
    rows = [recording(f"site {number:02d}/1.wav", 2 + number, None) for number in range(15)]
    output = made_up(tmp_path, rows, ("wren", "owl"))
    output.fill()
    page = page_of(output, Rules(one_threshold(0.0)), Clock(None))
    words = words_of(page)
    assert "By hour of the day" not in words
    clips = sum(2 + number for number in range(15))
    assert f"{clips} of {clips} clips have no known time" in words
    assert "Shown are the 12 of 15 sites" in words
    assert re.search(rf"clips listened to 16 15 .* 5 9 {clips} ", words)


def test_the_same_results_give_the_same_page_but_for_the_moment(tmp_path: Path) -> None:
    output = example(tmp_path)
    pages = [page_of(output, Rules(one_threshold(0.4)), Clock(None)) for _ in range(2)]
    made = re.compile(rb"on \d{4}-\d\d-\d\d \d\d:\d\d UTC")
    assert made.sub(b"", pages[0]) == made.sub(b"", pages[1])


def test_a_page_of_a_moved_output_needs_nothing_but_the_output(tmp_path: Path) -> None:
    output = example(tmp_path / "out")
    output.draw()
    shutil.move(tmp_path / "out", tmp_path / "moved")
    moved = replace(output, folder=replace(output.folder, url=str(tmp_path / "moved")))
    assert b"data:image/webp" in page_of(moved, Rules(one_threshold(0.4)), Clock(None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb\tc", "a\\nb\\tc"), ("\u202egnp.exe", "\\u202egnp.exe"), ("👩\u200d🔬 é", "👩\u200d🔬 é"), ("<b>", "<b>")],
)
def test_what_can_not_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("recorded_days", [1, 2, 60, 61, 200])
def test_columns_of_days_hold_every_clip_once(recorded_days: int) -> None:
    generator = np.random.default_rng(recorded_days)
    days = np.sort(generator.choice(700, recorded_days, replace=False))
    scored = np.zeros(days[-1] - days[0] + 1, np.int64)
    scored[days - days[0]] = generator.integers(1, 100, recorded_days)
    columns = columns_of_days(scored)
    summed = columns.summed(scored)
    assert summed.sum() == scored.sum()
    marks = columns.marks(int(days[0]), scored)
    if recorded_days <= 60:
        # Each recorded day alone, and between two of them at most one column.
        assert summed[summed > 0].tolist() == scored[scored > 0].tolist()
        assert not ((summed[:-1] == 0) & (summed[1:] == 0)).any()
        assert [text for _, text in marks] == [str(np.datetime64(int(day), "D")) for day in days]
        assert all(summed[int(place)] for place, _ in marks)
    else:
        assert summed.size <= 60
        assert summed.size == len(marks)


@pytest.mark.parametrize(("texts", "narrow"), [(DATES, DATES[::2]), (HOURS, HOURS)], ids=["dates", "hours"])
def test_as_many_marks_are_written_below_an_axis_as_have_room(texts: list[str], narrow: list[str]) -> None:
    marks = [(column + 0.5, text) for column, text in enumerate(texts)]
    chart = bars("days", Axis(marks, np.ones(4, np.int64)), None)
    written = [re.findall(rf">({'|'.join(texts)})<", svg) for svg in (chart.wide, chart.narrow)]
    assert written == [texts, narrow]
