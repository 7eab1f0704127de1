"""The page of ``birddask report`` in a real browser: whole, readable on any screen, and deaf to hostile names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from birddask.models.library import seal_bundle
from birddask.storage import Folder
from tests.support.browser import complaints, screen
from tests.support.models import TINY_RATE, linear_network, tiny_card, write_unsealed_bundle
from tests.support.program import birddask, write_job
from tests.support.sounds import noise, write_wav

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SITES = ("<img src=x onerror=window.pwned=1>", 'it\'s "quoted", & <b>bold</b\n🦉>', "{{ 7 * 7 }} {% raw %}")
LABELS = (
    "<script>window.pwned=1</script>",
    "Turdus merula_\"Amsel\", $\\frac{1}{2$ <svg onload='window.pwned=1'>",
    "</style></title><script>window.pwned=1</script>",
    "🐸 frog, &lt;not escaped&gt; \u202egnp.exe",
    "a name without any end " + "that goes on " * 20,
)
CLIPS = 4


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of three sites on two days, by a model that hears all its labels everywhere."""
    folder = tmp_path_factory.mktemp("report")
    bundle = folder / "model"
    card = tiny_card("hostile")
    write_unsealed_bundle(bundle, card, LABELS, linear_network(len(LABELS), card.mels.shape))
    seal_bundle(Folder(str(bundle)))
    archive = folder / "archive"
    for number, site in enumerate(SITES):
        for day in (1, 2):
            name = f"2024050{day}_0{number}5000 '\",<i>.wav"
            write_wav(archive / site / name, noise(CLIPS, TINY_RATE, number), TINY_RATE)
    write_wav(archive / SITES[0] / "silent.wav", np.zeros(TINY_RATE, np.int16), TINY_RATE)
    (archive / SITES[1] / "<script>window.pwned=1<!--.wav").touch()
    job = write_job(folder / "job.yaml", archive, folder / "out", bundle)
    assert birddask("run", job, "--workers", "1").returncode == 0
    done = birddask("report", job, folder / "out.html", "--threshold", "0")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return folder / "out.html"


@pytest.fixture
def opened(browser: Chrome, page: Path) -> Chrome:
    screen(browser, 1400)
    browser.get(page.as_uri())
    return browser


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1400, 800, 390, 360])
def test_it_fits_on_any_screen_without_a_complaint(opened: Chrome, width: int, dark: bool) -> None:  # noqa: FBT001
    screen(opened, width, dark=dark)
    opened.refresh()
    needed, there = opened.execute_script("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    assert needed <= there <= width
    drawn = (
        "return [...document.querySelectorAll('.chart')].map(c => [...c.children].filter(d => d.clientWidth).length)"
    )
    shown = opened.execute_script(drawn)
    assert len(shown) == 4
    assert set(shown) == {1}
    ink, paper, text = opened.execute_script(
        """const style = getComputedStyle(document.body), text = document.querySelector('.chart text');
        return [style.color, style.backgroundColor, getComputedStyle(text).fill]"""
    )
    assert text == ink
    brightness = [sum(map(int, colour[4:-1].split(","))) for colour in (ink, paper)]
    assert (brightness[0] > brightness[1]) == dark
    assert complaints(opened) == []


def test_hostile_names_are_text_and_no_more(opened: Chrome) -> None:
    text = opened.execute_script("return document.body.textContent")
    for site in SITES:
        assert site.replace("\n", "\\n") in text
    for label in LABELS[:-2]:
        assert label.split("_")[-1] in text
    assert "🐸 frog, &lt;not escaped&gt; \\u202egnp.exe" in text
    assert "<script>window.pwned=1<!--.wav" in text
    assert "20240501_005000 '\",<i>.wav" in text
    assert opened.title.startswith("What was heard")
    found = "return document.querySelectorAll('script, [onerror], [onload], img:not([src^=data])')"
    assert opened.execute_script(found) == []
    assert opened.execute_script("return window.pwned") is None


def test_every_clip_has_its_pictures_and_a_sound_that_plays(opened: Chrome) -> None:
    clips = opened.execute_script("return document.querySelectorAll('figure').length")
    assert clips == 3 * len(LABELS)
    sizes = opened.execute_script(
        "return [...document.querySelectorAll('figure img')].map(i => [i.complete, i.naturalWidth, i.naturalHeight])"
    )
    assert sizes == [[True, 63, 16]] * clips
    seconds = opened.execute_async_script(
        """const done = arguments[0], sounds = [...document.querySelectorAll('audio')];
        Promise.all(sounds.map(sound => new Promise((resolve, reject) => {
            sound.onerror = () => reject(sound.error.message);
            sound.onended = () => resolve(sound.duration);
            sound.muted = true;
            sound.playbackRate = 16;
            sound.play();
        }))).then(done, done)"""
    )
    assert seconds == pytest.approx([1.0] * clips, abs=0.05)


def test_nothing_is_loaded_and_no_script_could_run(opened: Chrome) -> None:
    sources = opened.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(source.startswith("data:") for source in sources)
    assert complaints(opened) == []
    refused = opened.execute_async_script(
        """const done = arguments[0], refused = [];
        document.addEventListener('securitypolicyviolation', event => refused.push(event.effectiveDirective));
        const add = (tag, fields) => document.body.append(Object.assign(document.createElement(tag), fields));
        add('img', {src: 'https://localhost/x.png'});
        add('audio', {src: 'https://localhost/x.ogg'});
        add('link', {rel: 'stylesheet', href: 'https://localhost/x.css'});
        add('iframe', {src: 'https://localhost/'});
        add('script', {textContent: 'window.pwned = 1'});
        setTimeout(() => done(refused.sort()), 500)"""
    )
    assert refused == ["frame-src", "img-src", "media-src", "script-src-elem", "style-src-elem"]
    assert opened.execute_script("return window.pwned") is None
    assert len(complaints(opened)) == len(refused)
