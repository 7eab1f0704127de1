from __future__ import annotations

import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from birddask.errors import ConfigError
from birddask.evaluation.annotations import Annotation, read_annotations
from birddask.evaluation.matching import match_recordings, real_time_us
from birddask.evaluation.names import read_translation, translated
from birddask.evaluation.truth import clips_of_annotation
from birddask.recordings.recording import Recording, Segment
from birddask.safe_text import as_written, safe
from tests.support.outputs import recording

S = 1_000_000


def parquet_file(**columns: object) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t{}Species\n"
    '1\tSpectrogram 1\t1\t61.5\t62.25\t0\t9000\t{}"Ruby" Owl\n'
)


@pytest.mark.parametrize(
    ("content", "source", "expected"),
    [
        (
            RAVEN.format("Begin Path\tFile Offset (s)\t", "C:\\cards\\ridge\\a,b.wav\t1.5\t").encode(),
            "all.txt",
            Annotation("C:/cards/ridge/a,b.wav", 1_500_000, 2_250_000, ('"Ruby" Owl',)),
        ),
        (
            RAVEN.format("Begin File\t", "a.wav\t").encode("utf-8-sig"),
            "all.txt",
            Annotation("a.wav", 61_500_000, 62_250_000, ('"Ruby" Owl',)),
        ),
        (
            "filepath,start_time,end_time,ebird_code,ebird_code_multilabel\r\nHSN_1.ogg,5,10,,\"['amerob', 'warvir']\"",
            "test_5s.csv",
            Annotation("HSN_1.ogg", 5 * S, 10 * S, ("amerob", "warvir")),
        ),
        (
            "filepath,start_time,end_time,ebird_code\r\nHSN_1.ogg,5.25,6,amerob\r\n",
            "test.csv",
            Annotation("HSN_1.ogg", 5_250_000, 6 * S, ("amerob",)),
        ),
        (
            parquet_file(
                filepath=["HSN_1.ogg"], start_time=[5.0], end_time=[10], ebird_code_multilabel=[["amerob", "warvir"]]
            ),
            "test_5s.parquet",
            Annotation("HSN_1.ogg", 5 * S, 10 * S, ("amerob", "warvir")),
        ),
        (
            'recording,start_s,end_s,label\r\n\'=x/"a\n\U0001f989.wav",0.5,1,"\'-owl, old"\r\n'.replace(
                "'=x/\"a", "\"'=x/a"
            ),
            "own.csv",
            Annotation("=x/a\n\U0001f989.wav", 500_000, S, ("-owl, old",), in_file=False),
        ),
        (
            b"recording,start_s,end_s,label\r\na.wav,0,3,\r\n",
            "own.csv",
            Annotation("a.wav", 0, 3 * S, (), in_file=False),
        ),
    ],
)
def test_each_form(content: bytes | str, source: str, expected: Annotation) -> None:
    content = content.encode() if isinstance(content, str) else content
    assert list(read_annotations(content, source)) == [expected]


@pytest.mark.parametrize(
    "name", ["ridge/a.b.wav.selections.txt", "ridge/a.b.wav.Table.1.selections.txt", "ridge/a.b.wav.Table.1.txt"]
)
def test_a_raven_table_that_names_no_recording_is_of_the_one_in_its_own_name(name: str) -> None:
    rows = list(read_annotations(RAVEN.format("", "").encode(), name))
    assert [(row.recording, row.names) for row in rows] == [("ridge/a.b.wav", ()), ("ridge/a.b.wav", ('"Ruby" Owl',))]
    header = RAVEN.format("", "").split("\n", maxsplit=1)[0].encode()
    # Somebody listened, and drew nothing.
    assert list(read_annotations(header, name)) == [Annotation("ridge/a.b.wav", 0, 0, ())]


BIRDSET = "filepath,start_time,end_time,ebird_code_multilabel\n"


@pytest.mark.parametrize(
    ("content", "source", "complaint"),
    [
        (b"a,b\n1,2\n", "x.csv", "no table of annotations that is known: it has the columns a, b"),
        (b"", "x.csv", "has the columns none"),
        ("é".encode("latin-1"), "x.csv", "save it as UTF-8"),
        (b"Begin Time (s)\tEnd Time (s)\tWho\n", "x.txt", "name that column `Species`"),
        (b"recording,start_s,end_s,label\na.wav,soon,1,owl\n", "x.csv", "row 2: `start_s` is 'soon'"),
        (b"recording,start_s,end_s,label\na.wav,nan,1,owl\n", "x.csv", "row 2: `start_s` is 'nan'"),
        (b"recording,start_s,end_s,label\n,0,1,owl\n", "x.csv", "row 2: `recording` is empty"),
        (b"recording,start_s,end_s,label\na.wav,2,1,owl\n", "x.csv", "row 2: it ends before it begins"),
        (b"filepath,start_time,end_time,ebird_code_multilabel\na.ogg,0,5,[3\n", "x.csv", "no list of names"),
        (b'filepath,start_time,end_time,ebird_code_multilabel\na.ogg,0,5,"[3, 4]"\n', "x.csv", "codes are numbers"),
        (f'{BIRDSET}a.ogg,0,5,"[{"-" * 100_000}1]"\n'.encode(), "x.csv", "no list of names"),
        (f'{BIRDSET}a.ogg,0,5,"[{"1+" * 50_000}1]"\n'.encode(), "x.csv", "no list of names"),
        (f'{BIRDSET}a.ogg,0,5,"{"[" * 5_000}"\n'.encode(), "x.csv", "no list of names"),
        (b'recording,start_s,end_s,label\n"a.wav,0,1,owl\n' + b"b.wav,0,1,owl\n" * 20_000, "x.csv", "a quote missing"),
        (b"recording,start_s,end_s,label\na.wav\n", "x.csv", "row 2: `start_s` is None"),
        (b"recording,start_s,end_s,label\na.wav,0,1,owl\n", "x.parquet", "x.parquet is not a Parquet file"),
        (b"PAR1" + bytes(100) + b"PAR1", "x.parquet", "x.parquet is not a Parquet file"),
    ],
)
def test_what_is_no_annotation(content: bytes, source: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint.replace("[", r"\[").replace("(", r"\(")):
        list(read_annotations(content, source))


def test_names_are_translated() -> None:
    labels = read_translation(b"\xef\xbb\xbfname,label\namerob,Turdus migratorius\n", "n.csv")
    owl = Annotation("a.wav", 0, 1, ("AMEROB", "owl"))
    assert [each.names for each in translated([owl], labels)] == [("Turdus migratorius", "owl")]
    with pytest.raises(ConfigError, match="`name` and `label`"):
        read_translation(b"code,label\n", "n.csv")
    with pytest.raises(ConfigError, match="a quote missing"):
        read_translation(b'name,label\n"' + b"amerob\n" * 20_000, "n.csv")


@pytest.mark.parametrize("text", ["=1", "'=1", "''@", "+", "-owl", "owl", "'owl", "", "\uff1dx"])
def test_a_guard_is_taken_away_again(text: str) -> None:
    assert as_written(safe(text)) == text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ridge/a.wav", "ridge/a.wav"),
        ("C:/old place/ridge/a.wav", "ridge/a.wav"),
        ("/x/card/stream/a.wav", "stream/a.wav"),
        ("b.wav", "ridge/card 1/b.wav"),
        ("b.ogg", "ridge/card 1/b.wav"),
        ("b", "ridge/card 1/b.wav"),
        ("c.d", "c.d.flac"),
        ("ridge/c", "ridge/c.wav"),
        ("c.flac", "c.flac"),
        ("a.wav", "several"),
        ("elsewhere/a.wav", "several"),
        ("z.wav", "none"),
        ("quarantined.wav", "none"),
    ],
)
def test_which_recording_is_meant(name: str, meant: str) -> None:
    paths = ["ridge/a.wav", "stream/a.wav", "ridge/card 1/b.wav", "c.d.flac", "ridge/c.wav", "c.flac"]
    rows = [recording(path, 1).recording for path in paths]
    rows.append(Recording("x/quarantined.wav", 1, "quarantined"))
    matched = match_recordings([name], [rows])
    if meant == "several":
        assert matched.ambiguous == [name]
    elif meant == "none":
        assert matched.missing == [name]
    else:
        assert {key: row.path for key, row in matched.recordings.items()} == {name: meant}


def test_times_in_the_file_of_a_triggered_recording() -> None:
    segments = (Segment(0, 0, 8000), Segment(24_000, 8256, 8000))
    row = recording("s/1T.wav", 4, segments=segments).recording
    times = [(0, 0), (0.5, 0.5), (1.0, 1.0), (1.02, 1.0), (1.032, 3.0), (1.532, 3.5), (9, 4.0)]
    for in_file, real in times:
        assert real_time_us(round(in_file * S), row) == round(real * S)
    assert real_time_us(1234, recording("s/1.wav", 4).recording) == 1234


@pytest.mark.parametrize(
    ("annotation_s", "least_s", "clips"),
    [
        ((0, 3), 0, [0]),
        ((2.9, 3.1), 0, [0, 1]),
        ((3, 6), 0, [1]),
        ((2, 3.5), 0.75, [0]),
        ((2, 3.5), 1.0, [0]),
        ((2, 3.5), 0.5, [0, 1]),
        ((2.8, 3.1), 1.0, []),
        ((1, 1.2), 1.0, [0]),
        ((0, 9), 60, [0, 1, 2]),
        ((4, 4), 0, [1]),
        ((3, 3), 5, [1]),
        ((9, 12), 0, []),
    ],
)
def test_the_overlap_that_gives_a_clip_a_label(
    annotation_s: tuple[float, float], least_s: float, clips: list[int]
) -> None:
    starts_us = pa.array([0, 3 * S, 6 * S]).to_numpy()
    span_us = round(annotation_s[0] * S), round(annotation_s[1] * S)
    assert clips_of_annotation(starts_us, 3 * S, span_us, round(least_s * S)).tolist() == clips
