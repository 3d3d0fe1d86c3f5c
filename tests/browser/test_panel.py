"""The panel in a browser: it draws while a cell is busy, survives a reload, and reacts."""

import time

import pytest

DEMO = "fixtures/panel.ipynb"


@pytest.fixture
def running(open_notebook):
    """The demo notebook, its busy cell under way and the first frames drawn."""

    def start(**options):
        notebook = open_notebook(DEMO, **options)
        notebook.run_all()
        notebook.wait_frames(5)
        return notebook

    return start


def test_it_draws_nine_frames_a_second_while_a_cell_is_busy_and_can_be_heard(running, shot):
    notebook = running()
    notebook.panel.scroll_into_view_if_needed()
    before, start = notebook.frames(), time.monotonic()
    notebook.page.wait_for_timeout(4000)
    assert notebook.busy
    rate = (notebook.frames() - before) / (time.monotonic() - start)
    shot(notebook, "panel-light-1280", notebook.panel)
    assert rate >= 9
    spoken = notebook.panel.locator("[aria-live=polite]")
    notebook.page.wait_for_timeout(1500)
    assert "fresh pages bind" in spoken.inner_text()
    for chart in notebook.panel.locator("[role=img]:visible").all():
        assert len(chart.get_attribute("aria-label")) > 15


def test_a_reload_in_mid_run_replays_what_was_drawn(running):
    notebook = running()
    notebook.page.wait_for_timeout(1500)
    drawn = notebook.frames()
    notebook.save()
    notebook.page.wait_for_timeout(500)
    notebook.page.reload()
    notebook.page.wait_for_function(
        "Number(document.querySelector('.cl-panel')?.dataset.replayed) > 0", timeout=30_000
    )
    assert int(notebook.panel.get_attribute("data-replayed")) >= min(drawn, 10)
    assert "fresh pages" in notebook.panel.locator(".cl-verdict").inner_text()


@pytest.mark.reacts("panel-pause")
def test_pause_acts_within_250_ms_while_a_cell_is_busy(running):
    notebook = running()
    button = notebook.panel.locator(".panel-pause")
    took = notebook.page.evaluate(
        """() => new Promise(done => {
            const panel = document.querySelector('.cl-panel'), start = performance.now();
            new MutationObserver(() => done(performance.now() - start))
                .observe(panel, {attributes: true, attributeFilter: ['data-paused']});
            panel.querySelector('.panel-pause').click();
        })"""
    )
    assert notebook.busy and took < 250
    notebook.page.wait_for_timeout(300)
    still = notebook.frames()
    notebook.page.wait_for_timeout(600)
    assert notebook.frames() == still and button.inner_text() == "Resume"
    button.focus()
    notebook.page.keyboard.press("Enter")
    notebook.page.wait_for_timeout(800)
    assert notebook.frames() > still


@pytest.mark.reacts("panel-table")
def test_a_dark_narrow_page_fits_and_numbers_shows_every_chart_as_a_table(running, shot):
    notebook = running(theme="dark", width=820)
    assert notebook.panel.get_attribute("data-theme") == "dark"
    shot(notebook, "panel-dark-820", notebook.panel)
    box = notebook.panel.bounding_box()
    for canvas in notebook.panel.locator("canvas:visible").all():
        inner = canvas.bounding_box()
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
    notebook.panel.locator(".panel-table").click()
    table = notebook.panel.locator(".cl-numbers")
    assert table.is_visible()
    text = table.inner_text()
    assert "fresh pages" in text and "counted" in text and "share" in text
    shot(notebook, "panel-dark-table", notebook.panel)
    notebook.panel.locator(".panel-table").click()
    assert not table.is_visible()


def test_reduced_motion_draws_twice_a_second_at_most(running):
    notebook = running(motion="reduce")
    before, start = notebook.frames(), time.monotonic()
    notebook.page.wait_for_timeout(3000)
    assert (notebook.frames() - before) / (time.monotonic() - start) <= 2.5
