"""A panel with all its views in a browser, while a cell is busy: one page for what it must do."""

import re
import time

import pytest

SERVING = "fixtures/serving.ipynb"
CANVASES = ("maps", "lanes", "stream", "latency")
PAUSED = """() => new Promise(done => {
    const panel = document.querySelector('.cl-panel'), start = performance.now();
    new MutationObserver(() => done(performance.now() - start))
        .observe(panel, {attributes: true, attributeFilter: ['data-paused']});
    panel.querySelector('.panel-pause').click();
})"""


@pytest.fixture(scope="module")
def live(open_for, server):
    """Two engines under way, everything on the page; they work until the last test is over."""
    with open_for(SERVING, height=2350) as notebook:
        notebook.run_all()
        notebook.wait_frames(5)
        notebook.wait_drawn()
        yield notebook
        assert notebook.busy, "the demonstration ended before the tests did"
        (server.folder / "fixtures" / "stop").touch()
        notebook.wait_idle()
        assert ["stream", "done\n"] in notebook.outputs()[-1]


@pytest.fixture
def lit(live):
    """The same page; afterwards as it was: light, wide, moving."""
    yield live
    live.page.emulate_media(reduced_motion="no-preference")
    live.page.set_viewport_size({"width": 1280, "height": 2350})
    live.theme("light")


def counted(notebook):
    return [notebook.frames(), *(notebook.drawn(name) for name in CANVASES)]


def rates(notebook, seconds):
    """Drawn each second: charts, maps, lanes, streams, latencies."""
    before, start = counted(notebook), time.monotonic()
    notebook.page.wait_for_timeout(1000 * seconds)
    took = time.monotonic() - start
    return [(now - b) / took for now, b in zip(counted(notebook), before, strict=True)]


def test_everything_is_drawn_nine_times_a_second_while_a_cell_is_busy(live, shot):
    pictures = [live.pixels(name) for name in CANVASES]
    drawn = rates(live, 4)
    assert live.busy and min(drawn) >= 9, drawn
    shot(live, "live-light-1280", live.panel)
    for name, before in zip(CANVASES, pictures, strict=True):
        now = live.pixels(name)
        assert now.shape != before.shape or (now != before).any(), name


def test_it_can_be_heard_and_walked_through(live):
    live.page.wait_for_timeout(1200)
    assert "KV capacity binds" in live.panel.locator("[aria-live=polite]").inner_text()
    for chart in live.panel.locator("[role=img]:visible").all():
        assert len(chart.get_attribute("aria-label")) > 15
    heard = {n: live.chart(n).get_attribute("aria-label") for n in CANVASES}
    assert "of the room they reserve is empty; paged: " in heard["maps"]
    assert "wasted" in heard["maps"] and "waiting: " in heard["lanes"]
    assert heard["stream"].startswith("The client ")
    # 300 as long as the script has one token an event, 40 once it has eight.
    assert re.search(r"bytes a token (300|40) B", heard["stream"])
    assert "p99" in heard["latency"] and "short half: n " in heard["latency"]
    live.chart("maps").focus()
    for name in ("lanes", "stream", "latency"):
        live.page.keyboard.press("Tab")
        focused = f"document.activeElement.closest('.cl-{name}') !== null"
        assert live.page.evaluate(focused), f"the keyboard goes on to the {name}"


def test_its_buttons_are_reached_seen_and_pressed_by_keyboard(live):
    page, table = live.page, live.panel.locator(".cl-numbers")
    outline = "getComputedStyle(document.activeElement).outline"
    look = "document.activeElement.className"
    live.panel.locator(".panel-pause").focus()
    page.keyboard.press("Tab")
    assert "panel-table" in page.evaluate(look) and "solid 2px" in page.evaluate(outline)
    page.keyboard.press("Enter")
    assert table.is_visible()
    page.keyboard.press("Space")
    assert not table.is_visible()
    page.keyboard.press("Shift+Tab")
    assert "panel-pause" in page.evaluate(look) and "solid 2px" in page.evaluate(outline)
    page.keyboard.press("Space")
    assert live.panel.get_attribute("data-paused") == "true"
    page.keyboard.press("Space")
    assert live.panel.get_attribute("data-paused") == "false"


@pytest.mark.reacts("panel-pause")
def test_pause_acts_within_250_ms_while_a_cell_is_busy_and_holds_for_all(live):
    button = live.panel.locator(".panel-pause")
    took = live.page.evaluate(PAUSED)
    assert live.busy and took < 250
    live.page.wait_for_timeout(300)
    still = counted(live)
    live.page.wait_for_timeout(600)
    assert counted(live) == still and button.inner_text() == "Resume"
    button.focus()
    live.page.keyboard.press("Enter")
    live.page.wait_for_timeout(800)
    assert all(now > before for now, before in zip(counted(live), still, strict=True))


def test_reduced_motion_draws_the_charts_twice_a_second_at_most(lit):
    lit.page.emulate_media(reduced_motion="reduce")
    lit.page.wait_for_timeout(600)
    charts, *canvases = rates(lit, 3)
    assert charts <= 2.5 and max(canvases) <= 3.5


@pytest.mark.reacts("panel-table")
def test_a_dark_narrow_page_fits_all_and_numbers_has_it_as_tables(lit, shot, inks_of):
    lit.page.set_viewport_size({"width": 820, "height": 2350})
    lit.theme("dark")
    lit.page.wait_for_timeout(1500)
    assert lit.panel.get_attribute("data-theme") == "dark"
    shot(lit, "live-dark-820", lit.panel)
    box = lit.panel.bounding_box()
    for canvas in lit.panel.locator("canvas:visible").all():
        inner = canvas.bounding_box()
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
    colours = {tuple(map(int, c)) for c in lit.pixels("maps").reshape(-1, 4)[:, :3]}
    ground, tones = inks_of("dark")
    assert ground in colours and inks_of("light")[0] not in colours
    assert colours & tones
    table = lit.panel.locator(".cl-numbers")
    lit.panel.locator(".panel-table").click()
    text = table.inner_text()
    for words in (
        "KV capacity",
        "counted",
        "share",
        "KV pool",
        "wasted",
        " for ",
        "p99.9",
        "short half",
    ):
        assert words in text, words
    assert re.search(r"request \d+", text), "the lanes' rows, whichever have their places now"
    shot(lit, "live-dark-table", lit.panel)
    lit.panel.locator(".panel-table").click()
    assert not table.is_visible()
