"""Every status, reason and flag that a row of a file or a clip can carry, in words."""

from __future__ import annotations

from collections.abc import Mapping

FILE_STATUSES: Mapping[str, str] = {
    "usable": "its clips are planned",
    "quarantined": "it should be a recording, but can't be used",
    "ignored": "it is no recording, or a second copy of one",
}
CLIP_STATUSES: Mapping[str, str] = {
    "ok": "its mels are in the store",
    "silent": "every sample is zero: there is nothing to score",
    "quarantined": "it could not be computed",
}
QUARANTINED: Mapping[str, str] = {
    "empty": "the file has no bytes: power was lost, or the card was full or pulled, before the recording was closed",
    "null_file": "only zero bytes: the card or a copy lost the content",
    "no_header": "does not begin with a WAV header: the recorder stopped before it wrote one, or the content is random",
    "truncated_header": "ends before its samples begin",
    "no_audio": "the header is whole but no samples follow",
    "unsupported_format": "a sound format that birddask does not read",
    "unreadable": "the decoder refuses it",
    "crashes": "the decoder ends its process, again and again",
    "unknown_length": "the header does not say how long it is",
    "impossible_length": "a triggered recording that claims more silence than a recording can have",
    "unfinished": "a `data` file that the recorder had no time to complete and name",
    "name_not_utf8": "the file's name is not UTF-8, so that it can't be opened under every system",
    "forbidden": "storage does not allow it to be read",
    "vanished": "listed, but gone when it was opened",
    "short_read": "fewer samples could be read than its header promises",
    "not_finite": "samples that are not numbers",
    "changed": "not the file that was scanned; its clips wait for `--refresh`",
    "superseded": "changed and scanned again under another row, which counts instead",
}
IGNORED: Mapping[str, str] = {
    "not_audio": "another kind of file",
    "sidecar": "written by a recorder beside its recordings: settings, logs, positions",
    "appledouble": "a shadow file (._NAME) that macOS leaves on cards",
    "hidden": "a hidden file",
    "system_folder": "in a folder of an operating system or a NAS",
    "duplicate": "a second copy of a recording, byte for byte; only the first one is used",
}
FLAGS: Mapping[str, str] = {
    "truncated": "fewer samples than the header declares; what is there is used",
    "size_repaired": "the size in the header is wrong and was overruled by the size of the file",
    "triggered": "silence was cut out while recording; times are real times",
    "interrupted": "ended before its time, the recorder says why or the length is odd",
    "time_conflict": "two sources state different start times; the other one is kept beside",
    "time_corrected": "the job file's correction of this clock was added",
    "clock_unset": "the clock had not been set: the start time is unknown unless the job file corrects it",
    "offset_assumed": "the start time comes from a name without a time zone; the job file's offset was assumed",
}
STOPPED: Mapping[str, str] = {
    "low_voltage": "the battery was low",
    "switch_position": "somebody moved the switch",
    "microphone": "the microphone was plugged in or out",
    "magnetic_switch": "the magnet was used",
    "file_size_limit": "the file was as large as a WAV file can be; the next one goes on",
    "sd_write_error": "the card could not be written",
    "model_error": "the classifier on the recorder failed",
}
