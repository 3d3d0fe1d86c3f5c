"""What a page that is loaded again shows, and maps that stand still, pixel for pixel."""

import importlib.util
from pathlib import Path

import pytest

from constraintlab.panel.palette import inks
from constraintlab.panel.raster import grid, pixels

AWAITING, MAPS = "fixtures/awaiting.ipynb", "fixtures/maps.ipynb"
CANVASES = ("maps", "lanes", "stream", "latency")


def finding(notebook, name):
    return notebook.panel.locator(f".cl-{name} .cl-heading b").inner_text()


@pytest.mark.long
def test_a_reload_replays_what_was_drawn_in_mid_run_and_after_it(open_notebook, server):
    notebook = open_notebook(AWAITING, height=2350)
    notebook.run_all()
    notebook.wait_drawn()
    notebook.wait_frames(12)
    frames = notebook.frames()
    notebook.save()
    notebook.page.wait_for_timeout(500)
    notebook.page.reload()
    notebook.page.wait_for_function(
        "Number(document.querySelector('.cl-panel')?.dataset.replayed) > 0", timeout=60_000
    )
    assert int(notebook.panel.get_attribute("data-replayed")) >= min(frames, 10)
    assert "KV capacity" in notebook.panel.locator(".cl-verdict").inner_text()
    notebook.wait_drawn(5 + max(notebook.drawn(n) for n in CANVASES))  # it goes on
    (server.folder / "fixtures" / "stop").touch()
    notebook.panel.locator(".cl-clock", has_text="ended").wait_for(timeout=60_000)
    notebook.page.wait_for_timeout(1000)
    told = {n: finding(notebook, n) for n in CANVASES}
    notebook.save()
    notebook.page.reload()
    notebook.wait_drawn()
    notebook.page.wait_for_timeout(500)
    assert {n: finding(notebook, n) for n in CANVASES} == told
    assert all(told.values())


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
        before = notebook.drawn("maps")
        notebook.run_cells(cell, cell + 1)
        notebook.page.wait_for_function(
            f"document.querySelector('.cl-maps .cl-chart')?.dataset.drawn > {before}"
        )
        notebook.page.wait_for_timeout(1200)
        shot(notebook, f"maps-{pools[-1]}", notebook.panel)
        for i, blocks in enumerate(pools):
            pool = box.locator(".cl-pool").nth(i)
            made = notebook.pixels(pool.locator("canvas"))
            g = grid(blocks, pool.evaluate("e => e.clientWidth") - 10)
            want = pixels(mixed()(blocks), g, inks("light"))
            assert made.shape[:2] == want.shape[:2] and (made[..., :3] == want).all(), blocks
    notebook.run_cells(5, 6)
    box.wait_for(state="detached")
