"""How a replay looks: nothing cut or covered at any width, no faint words, all of it by keyboard.

`fixtures/look.js` notes where the canvases write, which nothing else could tell.
"""

from pathlib import Path

import pytest

from constraintlab.panel.player import CONTROLS
from constraintlab.recordings import catalogue, page, play

READY = ".cl-replay .cl-panel[data-ready=true]"
LOOK = (Path(__file__).parent / "fixtures" / "look.js").read_text(encoding="utf-8")
REPLAY = ".cl-replay"

FULL = {"laptop": (1280, 1), "desktop": (1920, 1), "projector, 150%": (853, 1.5)}
"""Widths in CSS pixels, and how far the browser zooms in: the screen of each is 1280 or wider."""

BETWEEN = [pytest.param(where, marks=pytest.mark.long) for where in FULL if where != "laptop"]
"""Between the smallest and the largest there is seldom a fault that neither has."""

NARROW = {"projector, 200%": (640, 2), "phone": (400, 2)}

LABS = ("01", "04", "06", "07")
"""Between them they have every chart and every canvas."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Each of LABS as a page of its own, from the recordings that are shipped."""
    folder, made = tmp_path_factory.mktemp("replays"), {}
    for lab in LABS:
        made[lab] = folder / f"{lab}.html"
        tape = play.packed(lab, catalogue.of_lab(lab))
        made[lab].write_text(page.html(f"Lab {lab}, recorded", tape), encoding="utf-8")
    return made


@pytest.fixture
def opened(browser, pages):
    """opened(lab, width, scale, scheme) → the page at its last moment."""
    contexts = []

    def open_(lab, width=1280, scale=1.0, scheme="light"):
        context = browser.new_context(
            viewport={"width": width + 9, "height": 1000}, device_scale_factor=scale,
            color_scheme=scheme, offline=True,
        )  # fmt: skip
        contexts.append(context)
        sheet = context.new_page()
        sheet.add_init_script(LOOK)
        sheet.goto(pages[lab].as_uri())
        sheet.wait_for_selector(READY, timeout=60_000)
        sheet.locator(".replay-slider").focus()
        sheet.keyboard.press("End")
        sheet.wait_for_timeout(700)
        # Another size has all canvases drawn anew, and not in patches.
        sheet.set_viewport_size({"width": width, "height": 1000})
        sheet.wait_for_timeout(400)
        return sheet

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("lab", LABS)
@pytest.mark.parametrize("where", ["laptop", *NARROW, *BETWEEN])
def test_nothing_is_cut_and_nothing_covers_another(opened, lab, where):
    width, scale = (FULL | NARROW)[where]
    sheet = opened(lab, width, scale)
    assert sheet.evaluate("document.documentElement.scrollWidth") <= width
    found = sheet.evaluate("unfit", REPLAY)
    assert [line for line in found if where in FULL or not line.startswith("shortened")] == []


def test_what_is_cut_or_covered_would_be_found(opened):
    sheet = opened("01")
    heading = ".cl-heading { margin-left: 1100px; white-space: nowrap }"
    sheet.add_style_tag(content=f".cl-chips {{ margin-left: -120px }} {heading}")
    sheet.evaluate("""() => {
        const c = document.querySelector(".cl-worth canvas").getContext("2d");
        c.setTransform(1, 0, 0, 1, 0, 0);
        c.fillText("outside", c.canvas.width, 50);
    }""")
    found = sheet.evaluate("unfit", REPLAY)
    assert any(line.startswith("Constraint panel | recorded") for line in found)
    assert any("cut by" in line and "outside" in line for line in found)
    assert any("cut by" in line and "Migration" in line for line in found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(opened, scheme):
    sheet = opened("04", scheme=scheme)
    sheet.locator(".panel-table").click()
    sheet.locator(".replay-tab").first.click()
    assert sheet.evaluate("([s, least]) => faint(s, least)", ["body", 4.5]) == []
    sheet.add_style_tag(content=".cl-about { opacity: 0.5 }")
    assert sheet.evaluate("([s, least]) => faint(s, least)", ["body", 4.5]) != []


def tabbed(sheet, most=60):
    """What the Tab key comes to from the top of the page, until it leaves it."""
    sheet.locator("main").evaluate("e => { e.tabIndex = -1; e.focus(); }")
    found = []
    for _ in range(most):
        sheet.keyboard.press("Tab")
        if sheet.evaluate("document.activeElement === document.body"):
            break
        found.append(sheet.evaluate("focused()"))
    return found


def test_a_replay_is_played_without_a_mouse(opened):
    sheet = opened("04")
    moment = lambda: int(sheet.locator(REPLAY).get_attribute("data-moment"))  # noqa: E731
    stops = tabbed(sheet)
    assert all(stop["seen"] and stop["name"] for stop in stops), stops
    looks = " ".join(stop["look"] for stop in stops).split()
    order = [looks.index(name) for name in (*CONTROLS[:1], "replay-step", "replay-play",
                                            "replay-slider", "panel-table")]  # fmt: skip
    assert order == sorted(order) and set(CONTROLS) <= set(looks)
    for name in ("maps", "lanes"):
        assert any(stop["name"].startswith(sheet.locator(f".cl-{name} .cl-heading b").inner_text())
                   for stop in stops), name  # fmt: skip

    sheet.locator(".replay-slider").focus()
    for key, wanted in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        sheet.keyboard.press(key)
        assert moment() == wanted
    assert " s of " in sheet.locator(".replay-slider").get_attribute("aria-valuetext")
    sheet.keyboard.press("Shift+Tab")
    sheet.keyboard.press("Space")
    sheet.wait_for_function("Number(document.querySelector('.cl-replay').dataset.moment) > 2")
    sheet.keyboard.press("Space")
    still = moment()
    sheet.wait_for_timeout(600)
    assert moment() == still
    sheet.keyboard.press("Shift+Tab")
    sheet.keyboard.press("Enter")
    assert moment() > still and sheet.evaluate("focused()")["look"].count("replay-step")
    sheet.locator(".panel-table").focus()
    sheet.keyboard.press("Enter")
    assert sheet.locator(".cl-numbers").is_visible()
    sheet.locator(".replay-tab").nth(1).focus()
    sheet.keyboard.press("Enter")
    assert sheet.locator(".cl-missing").is_visible()
    sheet.add_style_tag(content=":focus-visible { outline: none !important }")
    assert not any(stop["seen"] for stop in tabbed(sheet)), "a focus that is not seen is told"


def test_a_screen_reader_hears_verdicts_and_not_every_frame(opened):
    sheet = opened("04")
    sheet.evaluate("""() => {
        window.heard = [];
        const watch = new MutationObserver(() => heard.push(performance.now()));
        document.querySelectorAll('[aria-live]').forEach((e) => watch.observe(e,
            { childList: true, characterData: true, subtree: true }));
    }""")
    assert sheet.locator(".cl-spoken").get_attribute("aria-live") == "polite"
    slider = sheet.locator(".replay-slider")
    slider.focus()
    sheet.keyboard.press("Home")
    for _ in range(40):
        sheet.keyboard.press("ArrowRight")
        sheet.wait_for_timeout(50)
    frames = int(sheet.locator(f"{REPLAY} .cl-panel").get_attribute("data-frames"))
    said = sheet.evaluate("document.querySelectorAll('.replay-step').length")
    assert frames > 20 and sheet.evaluate("heard.length") <= 2 + said
    for chart in sheet.locator(f"{REPLAY} [role=img]:visible").all():
        assert len(chart.get_attribute("aria-label")) > 15
