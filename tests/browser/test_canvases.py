"""KV maps, lanes and streams in a browser: pixel for pixel, while a cell is busy, and after it."""

import base64
import importlib.util
import time
from pathlib import Path

import numpy as np
import pytest

from constraintlab.panel.palette import THEMES, inks
from constraintlab.panel.raster import grid, pixels, rgb

SERVING, AWAITING, MAPS, PLAIN = (
    f"fixtures/{name}.ipynb" for name in ("serving", "awaiting", "maps", "panel")
)
CANVASES = ("maps", "lanes", "stream")
PIXELS = """(canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    let text = '';
    for (let i = 0; i < data.length; i += 8192)
        text += String.fromCharCode(...data.subarray(i, i + 8192));
    return [width, height, btoa(text)];
}"""


def chart(notebook, name):
    return notebook.panel.locator(f".cl-{name} .cl-chart")


def drawn(notebook, name):
    found = chart(notebook, name)
    return int(found.get_attribute("data-drawn") or 0) if found.count() else 0


def finding(notebook, name):
    return notebook.panel.locator(f".cl-{name} .cl-heading b").inner_text()


def picture(canvas):
    """Its pixels, [height, width, 4]."""
    width, height, raw = canvas.evaluate(PIXELS)
    return np.frombuffer(base64.b64decode(raw), np.uint8).reshape(height, width, 4)


def wait_drawn(notebook, n=1):
    for name in CANVASES:
        notebook.page.wait_for_function(
            f"document.querySelector('.cl-{name} .cl-chart')?.dataset.drawn >= {n}", timeout=60_000
        )


@pytest.fixture
def running(open_notebook):
    """The two engines under way, maps, lanes and streams on the page."""

    def start(path=SERVING, **options):
        notebook = open_notebook(path, **{"height": 2050, **options})
        notebook.run_all()
        notebook.wait_frames(5)
        wait_drawn(notebook)
        return notebook

    return start


def test_all_are_drawn_nine_times_a_second_while_a_cell_is_busy_and_can_be_heard(running, shot):
    notebook = running()
    pictures = {n: picture(chart(notebook, n).locator("canvas").first) for n in CANVASES}
    before, start = [drawn(notebook, n) for n in CANVASES], time.monotonic()
    frames = notebook.frames()
    notebook.page.wait_for_timeout(4000)
    assert notebook.busy
    took = time.monotonic() - start
    rates = [(drawn(notebook, n) - b) / took for n, b in zip(CANVASES, before, strict=True)]
    assert min(rates) >= 9 and (notebook.frames() - frames) / took >= 9, rates
    shot(notebook, "serving-light-1280", notebook.panel)
    shot(notebook, "stream-light-1280", notebook.panel.locator(".cl-stream"))
    for name in CANVASES:
        now = picture(chart(notebook, name).locator("canvas").first)
        assert now.shape != pictures[name].shape or (now != pictures[name]).any(), name
    heard = {n: chart(notebook, n).get_attribute("aria-label") for n in CANVASES}
    assert "of the room they reserve is empty; paged: " in heard["maps"]
    assert "wasted" in heard["maps"] and "waiting: " in heard["lanes"]
    assert heard["stream"].startswith("The client ") and "bytes a token 300 B" in heard["stream"]
    chart(notebook, "maps").focus()
    for name in ("lanes", "stream"):
        notebook.page.keyboard.press("Tab")
        focused = f"document.activeElement.closest('.cl-{name}') !== null"
        assert notebook.page.evaluate(focused), f"the keyboard goes on to the {name}"


def test_a_reload_shows_all_again_in_mid_run_and_after_it(running):
    notebook = running(AWAITING)
    notebook.page.wait_for_timeout(1000)
    notebook.save()
    notebook.page.wait_for_timeout(500)
    notebook.page.reload()
    wait_drawn(notebook)
    wait_drawn(notebook, 5 + max(drawn(notebook, n) for n in CANVASES))  # it goes on
    notebook.panel.locator(".cl-clock", has_text="ended").wait_for(timeout=60_000)
    notebook.page.wait_for_timeout(1000)
    told = {n: finding(notebook, n) for n in CANVASES}
    notebook.save()
    notebook.page.reload()
    wait_drawn(notebook)
    notebook.page.wait_for_timeout(500)
    assert {n: finding(notebook, n) for n in CANVASES} == told
    assert all(told.values())


def test_a_dark_narrow_page_fits_all_and_numbers_has_them_as_tables(running, shot):
    notebook = running(theme="dark", width=820)
    notebook.page.wait_for_timeout(3000)
    shot(notebook, "serving-dark-820", notebook.panel)
    shot(notebook, "stream-dark-820", notebook.panel.locator(".cl-stream"))
    box = notebook.panel.bounding_box()
    for canvas in notebook.panel.locator("canvas:visible").all():
        inner = canvas.bounding_box()
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
    made, ground = picture(chart(notebook, "maps").locator("canvas").first), THEMES["dark"]["card"]
    colours = {tuple(map(int, c)) for c in made.reshape(-1, 4)[:, :3]}
    assert rgb(ground) in colours and rgb(THEMES["light"]["card"]) not in colours
    assert colours & {rgb(tone) for tone in inks("dark")["tones"]}
    way = {tuple(map(int, c)) for c in picture(chart(notebook, "stream").locator("canvas").first)
           .reshape(-1, 4)[:, :3]}  # fmt: skip
    assert {rgb(look["faint"]) for look in inks("dark")["looks"].values()} <= way
    notebook.panel.locator(".panel-table").click()
    text = notebook.panel.locator(".cl-numbers").inner_text()
    assert "bytes a token" in text and "slow readers" in text and "modelled" in text
    assert "KV pool" in text and "wasted" in text and "request 3" in text and " for " in text


def test_reduced_motion_and_pause_hold_for_all(running):
    notebook = running(motion="reduce")
    before, start = [drawn(notebook, n) for n in CANVASES], time.monotonic()
    notebook.page.wait_for_timeout(3000)
    took = time.monotonic() - start
    assert all(drawn(notebook, n) - b <= 3.5 * took for n, b in zip(CANVASES, before, strict=True))
    notebook.panel.locator(".panel-pause").click()
    notebook.page.wait_for_timeout(600)
    still = [drawn(notebook, n) for n in CANVASES]
    notebook.page.wait_for_timeout(1000)
    assert [drawn(notebook, n) for n in CANVASES] == still and notebook.busy


def mixed():
    """The maker of the maps in the notebook."""
    path = Path(__file__).parent / "fixtures" / "serving.py"
    spec = importlib.util.spec_from_file_location("serving", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.mixed


def test_the_browser_draws_a_map_pixel_for_pixel_as_the_still_picture(open_notebook, shot):
    notebook = open_notebook(MAPS, width=1400, height=1100)
    notebook.run_cells(0, 2)
    box = notebook.panel.locator(".cl-maps")
    assert box.count() == 0, "a view that was never set is not there"
    for cell, pools in ((2, (16,)), (3, (300, 1000)), (4, (5000, 20000))):
        before = drawn(notebook, "maps")
        notebook.run_cells(cell, cell + 1)
        notebook.page.wait_for_function(
            f"document.querySelector('.cl-maps .cl-chart')?.dataset.drawn > {before}"
        )
        notebook.page.wait_for_timeout(1200)
        shot(notebook, f"maps-{pools[-1]}", notebook.panel)
        for i, blocks in enumerate(pools):
            pool = box.locator(".cl-pool").nth(i)
            made = picture(pool.locator("canvas"))
            g = grid(blocks, pool.evaluate("e => e.clientWidth") - 10)
            want = pixels(mixed()(blocks), g, inks("light"))
            assert made.shape[:2] == want.shape[:2] and (made[..., :3] == want).all(), blocks
    notebook.run_cells(5, 6)
    box.wait_for(state="detached")


def test_a_panel_without_them_has_no_room_for_them(open_notebook):
    notebook = open_notebook(PLAIN)
    notebook.run_all()
    notebook.wait_frames(3)
    assert [notebook.panel.locator(f".cl-{n}").count() for n in CANVASES] == [0, 0, 0]
    assert notebook.panel.locator(".cl-roofline").is_visible()
