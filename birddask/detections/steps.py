"""The rules as SQL; pure text.

``scored`` holds what was read of a site, in batches of whole recordings; ``labels`` the names and thresholds of its
labels; ``recordings`` the rows of the recordings tables; ``places`` where each was made, and ``occurring`` which labels
occur there in which week, if the rules have a location. What comes out of a batch becomes ``detections``:

* ``site``, ``recording``, ``recorder``; ``sample_rate_hz``, ``latitude_deg``, ``longitude_deg``, ``utc_offset_min`` of
  the recording, null where unknown;
* ``label``; ``scientific_name`` and ``common_name`` in it; ``taxon``: the scientific name, null if it is no species';
* ``probability``; ``clips``: how many were merged; ``clip``: its row in the store, of a merged detection the surest;
* ``start_us`` and ``end_us`` in the recording, real time; ``file_start_us`` and ``file_end_us`` in the file, which is
  shorter where a triggered recorder cut out silence; ``start_time_us`` since 1970 UTC, null where unknown.

Where the scored clips were asked for, those of the batch become ``clips``: ``site``, ``recording``, ``start_time_us``,
``utc_offset_min``, and the ``probability`` of the likeliest label, whatever the rules say.
"""

# ruff: noqa: S608 - of whole numbers and names of ours
from __future__ import annotations

from birddask.detections.recordings import COLUMNS as RECORDINGS
from birddask.detections.rules import Rules
from birddask.errors import ConfigError
from birddask.plan import ClipRule

TABLES = f"""
CREATE OR REPLACE TABLE scored (
    batch INTEGER, clip BIGINT, recording VARCHAR, recorder VARCHAR, offset_us BIGINT, start_time_us BIGINT,
    label VARCHAR, probability FLOAT
);
CREATE OR REPLACE TABLE labels (
    label VARCHAR, scientific_name VARCHAR, common_name VARCHAR, taxon VARCHAR, threshold FLOAT
);
CREATE OR REPLACE TABLE occurring (latitude_deg DOUBLE, longitude_deg DOUBLE, week INTEGER, label VARCHAR);
CREATE TABLE IF NOT EXISTS recordings ({", ".join(f"{name} {kind}" for name, kind in RECORDINGS.items())});
"""

MACROS = r"""
CREATE MACRO seconds(us) AS printf('%d.%06d', us // 1000000, us % 1000000);
CREATE MACRO moment(us) AS strftime(make_timestamp(us), '%Y-%m-%dT%H:%M:%S.%fZ');
-- BirdNET's year has four weeks in each month; -1 where the time is not known.
CREATE MACRO week_of(us) AS coalesce(
    month(make_timestamp(us)) * 4 - 4 + least(4, (day(make_timestamp(us)) + 6) // 7), -1
);
CREATE MACRO one_line(words) AS regexp_replace(words, '[\x00-\x1f\x7f\x{85}\x{2028}\x{2029}]+', ' ', 'g');
-- So many samples in microseconds, rounded.
CREATE MACRO microseconds(samples, rate_hz) AS (samples * 2000000 + rate_hz) // (2 * rate_hz);
-- Where a frame of real time lies in a file that leaves out silence; in a gap, where the gap is.
CREATE MACRO frame_in_file(frame, segments) AS coalesce(list_max([
    s.file_frame + least(frame - s.first_frame, s.frames) FOR s IN segments IF s.first_frame <= frame
]), 0);
CREATE MACRO in_file(us, rate_hz, segments) AS CASE WHEN segments IS NULL THEN us ELSE
    microseconds(frame_in_file((us * rate_hz + 500000) // 1000000, segments), rate_hz) END;
"""

CLIPS = """SELECT $site AS site, recording, start_time_us, utc_offset_min, probability
    FROM scored LEFT JOIN recordings USING (recording) WHERE label IS NULL AND batch = $batch"""

# Probabilities are summed as whole numbers of 2^-40, which those of 2^-17 and more are.
_ONE = 1 << 40


def steps(rules: Rules, rule: ClipRule) -> str:
    """A query for ``detections`` in their order; its parameters are ``site`` and ``batch``.

    Raises:
        ConfigError: smoothing is asked for, and no clips overlap.
    """
    candidates = _smoothed(rule) if rules.smooth else "candidates AS (SELECT * FROM numbered)"
    return f"""WITH {_numbered(rule)}, {candidates}, {_counted(rules)}, {_merged(rules, rule)}, {_timed(rule)}
    SELECT timed.*, labels.* EXCLUDE (label, threshold),
        in_file(start_us, sample_rate_hz, segments) AS file_start_us,
        in_file(end_us, sample_rate_hz, segments) AS file_end_us
    FROM timed JOIN labels USING (label) ORDER BY recording, start_us, label"""


def _numbered(rule: ClipRule) -> str:
    """Clips get their number in the recording: exact, where microseconds are rounded."""
    hop = rule.hop_samples * 1_000_000
    return f"""numbered AS (
        SELECT *, (2 * offset_us * {rule.sample_rate_hz} + {hop}) // {2 * hop} AS number FROM scored
        WHERE batch = $batch
    )"""


def _smoothed(rule: ClipRule) -> str:
    reach = (rule.length_samples - 1) // rule.hop_samples
    if not reach:
        raise ConfigError("smoothing needs clips that overlap, these do not; `overlap_s` in the job file makes them")
    shifts = f"(SELECT unnest(range({-reach}, {reach + 1})) AS shift) AS shifts"
    # Sums of whole numbers do not depend on their order, which is any.
    total = f"sum(CAST(CAST(probability AS DOUBLE) * {_ONE} AS BIGINT))"
    return f"""clips AS (SELECT * FROM numbered WHERE label IS NULL),
    overlapping AS (
        SELECT own.recording, own.number, count(*) AS clips
        FROM clips AS own CROSS JOIN {shifts} JOIN clips AS other
        ON other.recording = own.recording AND other.number = own.number + shift
        GROUP BY ALL
    ),
    spread AS (
        SELECT recording, number + shift AS number, label, {total} AS total
        FROM numbered CROSS JOIN {shifts} WHERE label IS NOT NULL
        GROUP BY ALL
    ),
    candidates AS (
        SELECT clips.* REPLACE (
            spread.label AS label, CAST(total / {_ONE}.0::DOUBLE / overlapping.clips AS FLOAT) AS probability
        )
        FROM spread JOIN clips USING (recording, number) JOIN overlapping USING (recording, number)
    )"""


def _counted(rules: Rules) -> str:
    located = best = ""
    if rules.location is not None:
        located = """JOIN places ON places.recording = candidates.recording JOIN occurring
            ON occurring.label = candidates.label AND occurring.week = week_of(candidates.start_time_us)
            AND occurring.latitude_deg = places.latitude_deg AND occurring.longitude_deg = places.longitude_deg"""
    if rules.best is not None:
        best = (
            f"QUALIFY row_number() OVER (PARTITION BY clip ORDER BY probability DESC, candidates.label) <= {rules.best}"
        )
    return f"""counted AS (
        SELECT candidates.* FROM candidates JOIN labels ON labels.label = candidates.label {located}
        WHERE probability >= threshold {best}
    )"""


def _merged(rules: Rules, rule: ClipRule) -> str:
    if not rules.merge:
        return "merged AS (SELECT *, number AS first, number AS last, 1 AS clips FROM counted)"
    window = "WINDOW one AS (PARTITION BY recording, label ORDER BY number)"
    return f"""begun AS (
        SELECT *, (number - lag(number) OVER one) * {rule.hop_samples} <= {rule.length_samples} IS NOT TRUE AS begins
        FROM counted {window}
    ),
    runs AS (SELECT *, count(*) FILTER (begins) OVER one AS run FROM begun {window}),
    merged AS (
        SELECT recording, min(recorder) AS recorder, label, min(number) AS first, max(number) AS last,
            min(start_time_us) AS start_time_us, max(probability) AS probability, count(*) AS clips,
            arg_max(clip, {{'probability': probability, 'earlier': -number}}) AS clip
        FROM runs GROUP BY recording, label, run
    )"""


def _timed(rule: ClipRule) -> str:
    """Begin and end; the last clip of a recording ends with it, though the model heard silence behind."""
    rate, hop, length = rule.sample_rate_hz, rule.hop_samples, rule.length_samples
    return f"""timed AS (
        SELECT merged.*, recordings.* EXCLUDE (recording, site), $site AS site,
            microseconds(first * {hop}, {rate}) AS start_us,
            least(microseconds(last * {hop} + {length}, {rate}), microseconds(frames, sample_rate_hz)) AS end_us
        FROM merged LEFT JOIN recordings USING (recording)
    )"""
