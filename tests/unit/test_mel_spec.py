from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Literal

import pytest

from birddask.documents import parse, parse_yaml, to_yaml
from birddask.errors import ConfigError
from birddask.mels.axes import MelFilterbank, StoredArray
from birddask.mels.scales import Decibels, SquaredPower, Unscaled
from birddask.mels.spec import NAME_CHARACTERS, ChannelSpec, MelSpec, Padded, require_same
from birddask.plan import ClipRule
from tests.support.models import tiny_spec

FILTERBANK = MelFilterbank("htk", "none", 16, 100.0, 4000.0)
DECIBELS = Decibels("decibels", 1e-10, 1.0, 80.0)


NOT_POSITIVE = "a channel needs an even n_fft, a positive hop and at least one bin"


def stored_spec() -> MelSpec:
    """A spec of the other kinds: stored arrays, two channels, power compression."""
    first = ChannelSpec(
        n_fft=2048,
        hop_samples=278,
        framing="inside",
        window=StoredArray("window_1", "a" * 64),
        spectrum="real",
        filterbank=StoredArray("mel_1", "b" * 64),
        bins=96,
        scale=SquaredPower("squared_power", 0.25),
        highest_first=True,
    )
    second = replace(first, n_fft=1024, hop_samples=280, scale=Unscaled("none"))
    clip = ClipRule(48_000, 144_000, 72_000, "drop")
    return MelSpec("stored", clip, "soxr_hq", "min_max_symmetric", (first, second), "float16", 0.125)


def with_channel(spec: MelSpec, **changes: object) -> MelSpec:
    return replace(spec, channels=(replace(spec.channels[0], **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("framing", "n_fft", "hop_samples", "clip_samples", "frames"),
    [
        ("inside", 2048, 278, 144_000, 511),
        ("inside", 1024, 280, 144_000, 511),
        ("inside", 256, 128, 256, 1),
        ("inside", 256, 128, 255, 0),
        ("inside", 256, 128, 10, 0),
        (Padded(3, 4), 256, 128, 10, 0),
        (Padded(0, 0), 256, 128, 255, 0),
        (Padded(0, 1), 256, 128, 255, 1),
        (Padded(100, 29), 256, 128, 255, 2),
        ("centre_zero", 1024, 480, 144_000, 301),
        ("centre_reflect", 1024, 480, 143_999, 300),
    ],
)
def test_a_channel_knows_its_frames(
    framing: str | Padded, n_fft: int, hop_samples: int, clip_samples: int, frames: int
) -> None:
    spec = with_channel(tiny_spec(), framing=framing, n_fft=n_fft, hop_samples=hop_samples)
    assert spec.channels[0].frames(clip_samples) == frames


def test_the_shape_counts_channels_mels_and_frames() -> None:
    assert tiny_spec().shape == (1, 16, 63)
    assert stored_spec().shape == (2, 96, 511)


@pytest.mark.parametrize("spec", [tiny_spec(), stored_spec()])
def test_a_spec_survives_being_written_as_yaml(spec: MelSpec) -> None:
    assert parse(MelSpec, parse_yaml(to_yaml(spec), "spec.yaml"), "spec.yaml") == spec


@pytest.mark.parametrize("spec", [tiny_spec(), stored_spec()])
def test_the_fingerprint_is_the_hash_of_the_sorted_json(spec: MelSpec) -> None:
    text = json.dumps(asdict(spec), sort_keys=True, separators=(",", ":"))
    assert spec.fingerprint == hashlib.sha256(text.encode()).hexdigest()[:10]
    assert spec.store_name == f"{spec.name}-{spec.fingerprint}"


def test_a_name_may_have_every_letter_that_is_allowed() -> None:
    assert replace(tiny_spec(), name="".join(sorted(NAME_CHARACTERS))).shape == tiny_spec().shape


CHANGES: dict[str, Callable[[MelSpec], MelSpec]] = {
    "name": lambda spec: replace(spec, name="other"),
    "rate": lambda spec: replace(spec, clip=replace(spec.clip, sample_rate_hz=8001)),
    "length": lambda spec: replace(spec, clip=replace(spec.clip, length_samples=8001)),
    "hop": lambda spec: replace(spec, clip=replace(spec.clip, hop_samples=4000)),
    "tail": lambda spec: replace(spec, clip=replace(spec.clip, tail="drop")),
    "waveform": lambda spec: replace(spec, waveform="min_max_symmetric"),
    "dtype": lambda spec: replace(spec, dtype="float16"),
    "float16_offset": lambda spec: replace(spec, float16_offset=0.5),
    "second channel": lambda spec: replace(spec, channels=spec.channels * 2),
    "n_fft": lambda spec: with_channel(spec, n_fft=512),
    "frame hop": lambda spec: with_channel(spec, hop_samples=127),
    "framing": lambda spec: with_channel(spec, framing="centre_reflect"),
    "window": lambda spec: with_channel(spec, window=StoredArray("w", "c" * 64)),
    "spectrum": lambda spec: with_channel(spec, spectrum="magnitude"),
    "mel scale": lambda spec: with_channel(spec, filterbank=replace(FILTERBANK, scale="slaney")),
    "mel norm": lambda spec: with_channel(spec, filterbank=replace(FILTERBANK, norm="slaney")),
    "low edge": lambda spec: with_channel(spec, filterbank=replace(FILTERBANK, low_hz=0.0)),
    "high edge": lambda spec: with_channel(spec, filterbank=replace(FILTERBANK, high_hz=3999.0)),
    "floor": lambda spec: with_channel(spec, scale=replace(DECIBELS, floor=1e-9)),
    "reference": lambda spec: with_channel(spec, scale=replace(DECIBELS, reference="max")),
    "top_db": lambda spec: with_channel(spec, scale=replace(DECIBELS, top_db=None)),
    "scale": lambda spec: with_channel(spec, scale=Unscaled("none")),
    "direction": lambda spec: with_channel(spec, highest_first=True),
}


# Stores of these lie on people's disks: another fingerprint would have them made anew.
@pytest.mark.parametrize(("dtype", "fingerprint"), [("float32", "88da62ba5b"), ("float16", "65ff5a0479")])
def test_fingerprints_stay_as_they_were(dtype: Literal["float16", "float32"], fingerprint: str) -> None:
    assert replace(tiny_spec(), dtype=dtype).fingerprint == fingerprint


def test_every_field_is_in_the_fingerprint() -> None:
    fingerprints = {name: change(tiny_spec()).fingerprint for name, change in CHANGES.items()}
    assert len({*fingerprints.values(), tiny_spec().fingerprint}) == len(CHANGES) + 1


@pytest.mark.parametrize("name", CHANGES)
def test_specs_that_differ_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="the store holds other mels than the model eats"):
        require_same(tiny_spec(), CHANGES[name](tiny_spec()), "the store")


def test_the_fields_that_differ_are_named_with_both_values() -> None:
    found = with_channel(replace(tiny_spec(), dtype="float16"), hop_samples=127, framing="centre_reflect")
    with pytest.raises(ConfigError) as caught:
        require_same(tiny_spec(), found, "the store")
    assert str(caught.value).splitlines()[1:] == [
        "  channels[0].hop_samples: 128, not 127",
        "  channels[0].framing: 'centre_zero', not 'centre_reflect'",
        "  dtype: 'float32', not 'float16'",
    ]


def test_equal_specs_are_accepted() -> None:
    require_same(stored_spec(), stored_spec(), "the store")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda: replace(tiny_spec(), name="a/b"),
            "the mels' name 'a/b' must be of lower-case letters, digits, '.', '-' and '_'",
        ),
        (
            lambda: replace(tiny_spec(), name=""),
            "the mels' name '' must be of lower-case letters, digits, '.', '-' and '_'",
        ),
        (
            lambda: replace(tiny_spec(), channels=()),
            "all channels of the mel spec 'tiny-mels' must give the same (bins, frames), these give []",
        ),
        (
            lambda: replace(stored_spec(), channels=(stored_spec().channels[0], tiny_spec().channels[0])),
            (
                "all channels of the mel spec 'stored' must give the same (bins, frames), "
                "these give [(16, 1126), (96, 511)]"
            ),
        ),
        (
            lambda: with_channel(tiny_spec(), framing="inside", n_fft=8002),
            "all channels of the mel spec 'tiny-mels' must give the same (bins, frames), these give [(16, 0)]",
        ),
        (lambda: with_channel(tiny_spec(), n_fft=0), NOT_POSITIVE),
        (lambda: with_channel(tiny_spec(), n_fft=255), NOT_POSITIVE),
        (lambda: with_channel(tiny_spec(), hop_samples=0), NOT_POSITIVE),
        (lambda: with_channel(tiny_spec(), bins=0, filterbank=StoredArray("m", "")), NOT_POSITIVE),
        (lambda: with_channel(tiny_spec(), bins=32), "the filterbank has 16 bins, its channel 32"),
    ],
)
def test_specs_that_mean_nothing_are_refused(change: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        change()
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: replace(FILTERBANK, high_hz=100.0), "from 100 to 100 Hz is empty"),
        (lambda: replace(FILTERBANK, low_hz=-1.0), "from -1 to 4000 Hz is empty"),
        (lambda: replace(DECIBELS, floor=0.0), "`floor`"),
        (lambda: replace(DECIBELS, floor=1e-50), "`floor`"),
        (lambda: replace(DECIBELS, top_db=-80.0), "`top_db`"),
    ],
)
def test_parts_of_a_spec_that_mean_nothing_are_refused(change: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        change()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "resampler: soxr_hq",
            "resampler: linear",
            "`resampler`: Input should be 'soxr_hq', 'soxr_vhq' or 'sinc_hann'",
        ),
        ("dtype: float32", "dtype: float64", "`dtype`"),
        ("dtype: float32", "dtpye: float32", "unknown key `dtpye`; did you mean `dtype`"),
        ("name: tiny-mels", "name: Tiny Mels", "spec.yaml: the mels' name 'Tiny Mels'"),
        ("length_samples: 8000", "length_samples: 1.5", "`clip.length_samples`"),
    ],
)
def test_a_mistake_in_a_spec_is_named(before: str, after: str, message: str) -> None:
    text = to_yaml(tiny_spec())
    assert text.count(before) == 1
    with pytest.raises(ConfigError, match=message):
        parse(MelSpec, parse_yaml(text.replace(before, after), "spec.yaml"), "spec.yaml")


def test_a_number_may_be_written_without_a_point() -> None:
    text = to_yaml(tiny_spec()).replace("1.0e-10", "1e-10")
    assert parse(MelSpec, parse_yaml(text, "spec.yaml"), "spec.yaml") == tiny_spec()
