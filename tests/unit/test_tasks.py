from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from birddask.errors import ConfigError, MelsLost, MisalignedBlock, ModelError, StorageError
from birddask.mels import store as mel_store
from birddask.mels.store import MelStore
from birddask.models.bundle import read_card
from birddask.models.card import ModelCard
from birddask.models.ready import BundleRef
from birddask.plan import Block, Stretch, plan_blocks
from birddask.recordings.recording import Recording
from birddask.storage import Folder
from birddask.table.clip_table import ClipRow, clip_table_key, read_clips
from birddask.table.parts import IDENTITY, EmbeddingType, PartLayout
from birddask.table.results import Results
from birddask.tasks import MelWork, ScoreWork, Unit, both, classify, make_mels, perform
from tests.support.models import TINY_BINS, TINY_LABELS, TINY_RATE
from tests.support.sounds import chunk, fmt_chunk, noise, write_wav

HEADER_BYTES = 44
CLIPS_PER_BLOCK = 4
START_US = 1_717_200_000_000_000


class Yard:
    """An archive of hand-written recordings, and the work of a job of four clips a block on it."""

    def __init__(self, root: Path, bundle: Path) -> None:
        self.root = root
        self.bundle = bundle
        self.card = read_card(Folder(str(bundle)))
        self.recordings: list[Recording] = []

    def add(self, name: str, samples: NDArray[np.int16]) -> None:
        write_wav(self.root / "archive" / name, samples, TINY_RATE)
        self.add_row(name, len(samples), "pcm_16")

    def add_row(self, name: str, frames: int, encoding: str) -> None:
        row = Recording(
            name,
            (self.root / "archive" / name).stat().st_size,
            "usable",
            site="marsh",
            container="wav",
            encoding=encoding,
            sample_rate_hz=TINY_RATE,
            channels=1,
            frames=frames,
            data_offset_bytes=HEADER_BYTES,
            start_time_us=START_US,
        )
        self.recordings.append(row)

    def blocks(self, card: ModelCard | None = None) -> list[Block]:
        return list(plan_blocks([self.recordings], (card or self.card).mels.clip, CLIPS_PER_BLOCK))

    def work(
        self, output: str = "out", card: ModelCard | None = None, embeddings: EmbeddingType | None = None
    ) -> tuple[MelWork, ScoreWork]:
        card = card or self.card
        folder = Folder(str(self.root / output))
        store = MelStore(folder.child("mels"), card.mels, CLIPS_PER_BLOCK)
        ref = BundleRef(Folder(str(self.bundle)), self.card.fingerprint)
        results = Results(folder, card, PartLayout("wide", 0.0), embeddings)
        return MelWork(Folder(str(self.root / "archive")), store, ref), ScoreWork(store, results, ref)

    def files(self, output: str) -> dict[str, bytes]:
        """Everything below an output, by its path there."""
        folder = self.root / output
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def clip_rows(self, block: int = 0, output: str = "out") -> list[ClipRow]:
        return read_clips((self.root / output / "mels" / clip_table_key(block)).read_bytes())

    def parts(self, output: str = "out") -> list[Path]:
        return sorted((self.root / output / "probabilities").rglob("*.parquet"))


@pytest.fixture
def yard(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    monkeypatch.setattr(mel_store, "_CHUNK_BYTES", 1)
    return Yard(tmp_path, tiny_bundle)


def scores_by_librosa(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """What the tiny model says of one clip, worked out without birddask."""
    power = librosa.feature.melspectrogram(
        y=samples / 32768,
        sr=TINY_RATE,
        n_fft=256,
        hop_length=128,
        window="hann",
        center=True,
        pad_mode="constant",
        power=2.0,
        n_mels=16,
        fmin=100,
        fmax=4000,
        htk=True,
        norm=None,
    )
    mels = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=80)
    scaled = (mels - mels.min()) / (mels.max() - mels.min())
    weights = np.random.default_rng(0).normal(0, 4 / np.sqrt(mels.size), (len(TINY_LABELS), mels.size))
    return 1 / (1 + np.exp(-weights @ scaled.ravel()))


def test_probabilities_are_those_of_each_clip_of_the_recording(yard: Yard) -> None:
    samples = noise(3.5, TINY_RATE)
    yard.add("a.wav", samples)
    (block,) = yard.blocks()
    report = both(*yard.work(), block)
    padded = np.pad(samples, (0, TINY_RATE // 2)).reshape(4, TINY_RATE)
    (part,) = yard.parts()
    table = pq.read_table(part, partitioning=None)
    found = np.column_stack([table.column(label).to_numpy() for label in TINY_LABELS])
    np.testing.assert_allclose(found, [scores_by_librosa(clip) for clip in padded], atol=1e-4)
    assert table.column("offset_us").to_pylist() == [0, 1_000_000, 2_000_000, 3_000_000]
    assert (report.clips, report.ok, report.scored, report.audio_s) == (4, 4, 4, 4.0)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_mels_then_scores_give_the_bytes_of_both_at_once(yard: Yard, dtype: str) -> None:
    yard.add("a.wav", noise(5.5, TINY_RATE))
    yard.add("b.wav", np.concatenate([noise(1, TINY_RATE, 1), np.zeros(TINY_RATE, np.int16), noise(1, TINY_RATE, 2)]))
    card = replace(yard.card, mels=replace(yard.card.mels, dtype=dtype))
    for block in yard.blocks(card):
        both(*yard.work("at-once", card), block)
        mel_work, score_work = yard.work("in-turn", card)
        make_mels(mel_work, block)
    for block in reversed(yard.blocks(card)):
        classify(score_work, block)
    assert len(yard.parts("at-once")) == 3
    assert yard.files("in-turn") == yard.files("at-once")


def test_mels_then_scores_give_the_embeddings_of_both_at_once(yard: Yard) -> None:
    yard.add("a.wav", noise(5.5, TINY_RATE))
    for block in yard.blocks():
        both(*yard.work("at-once", embeddings="float16"), block)
        mel_work, score_work = yard.work("in-turn", embeddings="float16")
        make_mels(mel_work, block)
        classify(score_work, block)
    files = yard.files("at-once")
    assert sum(name.startswith("embeddings/") for name in files) == 2
    assert yard.files("in-turn") == files


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_embeddings_lie_beside_the_probabilities_of_the_same_clips(yard: Yard, dtype: EmbeddingType) -> None:
    yard.add("a.wav", np.concatenate([noise(2, TINY_RATE), np.zeros(TINY_RATE, np.int16), noise(1, TINY_RATE)]))
    (block,) = yard.blocks()
    mel_work, score_work = yard.work(embeddings=dtype)
    both(mel_work, score_work, block)
    (part,) = yard.parts()
    key = part.relative_to(score_work.results.folder.url)
    stored = pq.read_table(Path(score_work.results.embeddings_folder.url, key), partitioning=None)
    assert stored.drop_columns("embedding").equals(pq.read_table(part, partitioning=None).select(IDENTITY))
    assert stored.column("clip").to_pylist() == [0, 1, 3]
    embeddings = np.array(stored.column("embedding").to_pylist())
    assert (embeddings.shape, stored.schema.field("embedding").type.value_type) == (
        (3, TINY_BINS),
        pa.from_numpy_dtype(dtype),
    )
    mels = mel_work.store.read_shard(0, 4)[[0, 1, 3]]
    low, high = mels.min(axis=(1, 2, 3), keepdims=True), mels.max(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(embeddings, ((mels - low) / (high - low)).mean(axis=3)[:, 0], rtol=0, atol=5e-4)


def test_a_block_without_its_embeddings_is_not_committed(yard: Yard) -> None:
    yard.add("a.wav", noise(3, TINY_RATE))
    (block,) = yard.blocks()
    mel_work, score_work = yard.work(embeddings="float16")
    embeddings = Path(score_work.results.embeddings_folder.url)
    embeddings.parent.mkdir(parents=True)
    embeddings.touch()
    with pytest.raises(StorageError):
        both(mel_work, score_work, block)
    assert yard.parts() == []
    embeddings.unlink()
    both(mel_work, score_work, block)
    assert score_work.results.committed().tolist() == [0]


def test_an_embedding_that_float16_cannot_hold_is_refused(yard: Yard, tmp_path: Path) -> None:
    yard.add("a.wav", noise(1, TINY_RATE))
    (block,) = yard.blocks()
    rows = [ClipRow(0, "a.wav", "marsh", None, 0, None, "ok")]
    scores, large = np.zeros((1, len(TINY_LABELS)), np.float32), np.full((1, TINY_BINS), 7e4, np.float32)
    results = yard.work(embeddings="float16")[1].results
    with pytest.raises(ModelError, match="too large for float16; write `embeddings: float32`"):
        results.write(block, rows, scores, TINY_LABELS, large)
    assert yard.parts() == []
    yard.work(embeddings="float32")[1].results.write(block, rows, scores, TINY_LABELS, large)
    assert len(yard.parts()) == 1


def test_a_block_done_again_has_the_same_bytes(yard: Yard) -> None:
    yard.add("a.wav", noise(3, TINY_RATE))
    (block,) = yard.blocks()
    both(*yard.work(), block)
    before = yard.files("out")
    both(*yard.work(), block)
    assert yard.files("out") == before


@pytest.mark.parametrize(("make", "score", "written"), [(True, False, 2), (True, True, 3)])
def test_a_unit_says_which_halves_are_done(yard: Yard, make: bool, score: bool, written: int) -> None:  # noqa: FBT001
    yard.add("a.wav", noise(3, TINY_RATE))
    (block,) = yard.blocks()
    report = perform(*yard.work(), Unit(block, make, score))
    assert len(yard.files("out")) == written
    assert report.scored == (3 if score else 0)
    assert perform(*yard.work(), Unit(block, make=False, score=True)).scored == 3
    assert len(yard.files("out")) == 3


def vanish(path: Path) -> None:
    path.unlink()


def cut_to_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "reason"), [(vanish, "vanished"), (cut_to_half, "changed"), (become_a_folder, "forbidden")]
)
def test_a_recording_harmed_after_the_scan_costs_its_own_clips(
    yard: Yard, harm: Callable[[Path], None], reason: str
) -> None:
    for seed, name in enumerate(["a.wav", "b.wav", "c.wav"]):
        yard.add(name, noise(2, TINY_RATE, seed))
    both(*yard.work("whole"), yard.blocks()[0])
    harm(yard.root / "archive/b.wav")
    reports = [both(*yard.work(), block) for block in yard.blocks()]
    rows = [row for block in range(2) for row in yard.clip_rows(block)]
    assert [(row.recording, row.status, row.reason) for row in rows] == [
        *[("a.wav", "ok", "")] * 2,
        *[("b.wav", "quarantined", reason)] * 2,
        *[("c.wav", "ok", "")] * 2,
    ]
    assert sum(report.quarantined for report in reports) == 2
    scored, whole = (pq.read_table(yard.parts(output)[0], partitioning=None).to_pylist() for output in ("out", "whole"))
    assert scored == whole[:2]


def test_an_archive_that_has_gone_costs_no_clip(yard: Yard) -> None:
    yard.add("a.wav", noise(2, TINY_RATE))
    shutil.rmtree(yard.root / "archive")
    with pytest.raises(ConfigError, match=r"the archive .* does not exist"):
        both(*yard.work(), yard.blocks()[0])
    assert yard.files("out") == {}


def test_a_compressed_recording_that_breaks_off_costs_its_own_clips(yard: Yard) -> None:
    yard.add("a.wav", noise(2, TINY_RATE))
    (yard.root / "archive/b.flac").write_bytes(b"fLaC" + bytes(100))
    yard.add_row("b.flac", 2 * TINY_RATE, "pcm_16")
    yard.recordings[1] = replace(yard.recordings[1], container="sndfile")
    report = both(*yard.work(), yard.blocks()[0])
    assert [row.reason for row in yard.clip_rows()] == ["", "", "unreadable", "unreadable"]
    assert (report.ok, report.quarantined) == (2, 2)


def test_a_clip_of_zeros_is_silent_and_not_scored(yard: Yard) -> None:
    samples = noise(3, TINY_RATE)
    samples[TINY_RATE : 2 * TINY_RATE] = 0
    yard.add("a.wav", samples)
    report = both(*yard.work(), yard.blocks()[0])
    assert [row.status for row in yard.clip_rows()] == ["ok", "silent", "ok"]
    assert [row.level_dbfs is None for row in yard.clip_rows()] == [False, True, False]
    assert (report.clips, report.ok, report.silent, report.scored) == (3, 2, 1, 2)
    assert pq.read_table(yard.parts()[0], partitioning=None).column("clip").to_pylist() == [0, 2]


def test_a_block_of_silence_is_committed_without_a_shard(yard: Yard) -> None:
    yard.add("a.wav", np.zeros(2 * TINY_RATE, np.int16))
    (block,) = yard.blocks()
    mel_work, score_work = yard.work()
    make_mels(mel_work, block)
    assert list(yard.files("out")) == ["mels/clips/block-000000.parquet"]
    assert classify(score_work, block).scored == 0
    assert pq.read_table(yard.parts()[0], partitioning=None).num_rows == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_clip_with_a_sample_that_is_no_number_is_quarantined(yard: Yard, value: float) -> None:
    samples = (noise(3, TINY_RATE) / 32768).astype("<f4")
    samples[TINY_RATE + 7] = value
    data = chunk(b"data", samples.tobytes())
    body = b"WAVE" + fmt_chunk(TINY_RATE, bits=32, tag=3) + data
    file = yard.root / "archive/a.wav"
    file.parent.mkdir()
    file.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    yard.add_row("a.wav", len(samples), "float_32")
    report = both(*yard.work(), yard.blocks()[0])
    assert [(row.status, row.reason) for row in yard.clip_rows()] == [
        ("ok", ""),
        ("quarantined", "not_finite"),
        ("ok", ""),
    ]
    assert (report.quarantined, report.scored) == (1, 2)


def test_the_level_of_a_clip_is_its_root_mean_square(yard: Yard) -> None:
    samples = noise(2, TINY_RATE)
    yard.add("a.wav", samples)
    make_mels(yard.work()[0], yard.blocks()[0])
    expected = [20 * np.log10(np.sqrt(np.mean((clip / 32768) ** 2))) for clip in samples.reshape(2, TINY_RATE)]
    np.testing.assert_allclose([row.level_dbfs for row in yard.clip_rows()], expected, rtol=1e-6)


def shard(yard: Yard, block: int) -> Path:
    return yard.root / f"out/mels/mels.zarr/mel/c/{block}/0/0/0"


def remove_shard(path: Path) -> None:
    path.unlink()


def empty_shard(path: Path) -> None:
    path.write_bytes(b"")


def shorten_shard(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("harm", [remove_shard, empty_shard, shorten_shard])
def test_lost_mels_withdraw_the_clip_table_and_nothing_is_scored(yard: Yard, harm: Callable[[Path], None]) -> None:
    yard.add("a.wav", noise(6, TINY_RATE))
    mel_work, score_work = yard.work()
    first, second = yard.blocks()
    for block in (first, second):
        make_mels(mel_work, block)
    harm(shard(yard, 1))
    with pytest.raises(MelsLost, match="block 1"):
        classify(score_work, second)
    assert not (yard.root / "out/mels" / clip_table_key(1)).exists()
    assert (yard.root / "out/mels" / clip_table_key(0)).exists()
    assert yard.parts() == []


def test_a_shard_of_other_rows_is_lost_mels(yard: Yard) -> None:
    yard.add("a.wav", noise(6, TINY_RATE))
    mel_work, score_work = yard.work()
    first, second = yard.blocks()
    for block in (first, second):
        make_mels(mel_work, block)
    shard(yard, 0).write_bytes(shard(yard, 1).read_bytes())
    with pytest.raises(MelsLost, match="clips that were computed are missing"):
        classify(score_work, first)


def later_start(block: Block) -> Block:
    stretch = block.stretches[0]
    recording = replace(stretch.recording, start_time_us=START_US + 1)
    return replace(block, stretches=(replace(stretch, recording=recording),))


def other_recording(block: Block) -> Block:
    stretch = block.stretches[0]
    return replace(block, stretches=(replace(stretch, recording=replace(stretch.recording, path="b.wav")),))


def one_clip_less(block: Block) -> Block:
    stretch = block.stretches[0]
    return replace(block, stretches=(replace(stretch, clips=stretch.clips - 1),))


def one_clip_later(block: Block) -> Block:
    stretch = block.stretches[0]
    return replace(block, stretches=(Stretch(stretch.recording, stretch.first_clip + 1, stretch.clips),))


@pytest.mark.parametrize("change", [later_start, other_recording, one_clip_less, one_clip_later])
def test_a_clip_table_of_another_plan_is_refused(yard: Yard, change: Callable[[Block], Block]) -> None:
    yard.add("a.wav", noise(4, TINY_RATE))
    (block,) = yard.blocks()
    mel_work, score_work = yard.work()
    make_mels(mel_work, block)
    with pytest.raises(MisalignedBlock, match="not of the clips that are planned"):
        classify(score_work, change(block))
    assert yard.parts() == []


def test_a_clip_table_of_another_block_of_the_same_recording_is_refused(yard: Yard) -> None:
    yard.add("a.wav", noise(8, TINY_RATE))
    mel_work, score_work = yard.work()
    first, second = yard.blocks()
    for block in (first, second):
        make_mels(mel_work, block)
    store = yard.root / "out/mels"
    (store / clip_table_key(1)).write_bytes((store / clip_table_key(0)).read_bytes())
    with pytest.raises(MisalignedBlock):
        classify(score_work, second)


def test_rows_say_where_and_when_each_clip_lies(yard: Yard) -> None:
    yard.add("a.wav", noise(5, TINY_RATE))
    yard.add("b.wav", noise(2, TINY_RATE, 1))
    yard.recordings[1] = replace(yard.recordings[1], recorder="24F3")
    for block in yard.blocks():
        make_mels(yard.work()[0], block)
    rows = [*yard.clip_rows(0), *yard.clip_rows(1)]
    places = [("a.wav", None, second) for second in range(5)] + [("b.wav", "24F3", second) for second in range(2)]
    assert [(row.clip, row.recording, row.recorder, row.offset_us, row.start_time_us) for row in rows] == [
        (clip, name, recorder, second * 1_000_000, START_US + second * 1_000_000)
        for clip, (name, recorder, second) in enumerate(places)
    ]
