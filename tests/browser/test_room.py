"""The room's page: a histogram that grows, and a reveal that is the instructor's alone."""

import re

import pytest
from tests.unit.room.running import finish, measurement, prediction, running, token

from constraintlab.bench.browser import OUTSIDE

OPTIONS = ("about the same", "×2 to ×5", "×5 to ×25", "×25 to ×32")
BARS = (
    """(kind) => [...document.querySelectorAll(`#options .${kind} .n`)].map(n => +n.textContent)"""
)


@pytest.fixture
def room(tmp_path):
    with running(tmp_path) as found:
        found.instruct("open")
        yield found


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    made, complaints = context.new_page(), []
    made.route(OUTSIDE, lambda route: (complaints.append(route.request.url), route.abort()))
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("console", lambda m: complaints.append(m.text) if "Policy" in m.text else None)
    yield made
    context.close()
    assert complaints == []


def learners(room, n, option, *more):
    for i in range(n):
        who = token()
        assert room.join(who)[0] == 200
        items = [prediction(OPTIONS[option]), *(make(i) for make in more)]
        told = [{k: v for k, v in as_dict(item).items() if v is not None} for item in items]
        status, _, reply = room.tell(who, *told)
        assert status == 200 and len(reply["taken"]) == len(items), reply


def as_dict(item):
    return {name: getattr(item, name) for name in item.__struct_fields__}


def open_as_instructor(page, room):
    page.goto(f"http://127.0.0.1:{room.port}/#{room.key}")
    page.locator("#question").get_by_text("32 sequences").wait_for(timeout=20_000)


def wait_bars(page, kind, wanted):
    page.wait_for_function(
        f"(wanted) => JSON.stringify(({BARS})('{kind}')) === JSON.stringify(wanted)", arg=wanted,
        timeout=20_000,
    )  # fmt: skip


@pytest.mark.reacts("room-reveal")
def test_the_histogram_grows_and_the_reveal_shows_every_laptop(page, room):
    open_as_instructor(page, room)
    assert room.key not in page.url
    learners(room, 3, 0)
    wait_bars(page, "predicted", [3, 0, 0, 0])
    value = lambda i: measurement(OPTIONS[2], 6.0 + i)  # noqa: E731
    learners(room, 4, 2, value, lambda i: finish("kv_capacity" if i else "host"))
    wait_bars(page, "predicted", [3, 0, 4, 0])
    assert page.locator("#joined").inner_text() == "7"
    assert page.evaluate(BARS, "measured") == []
    assert page.locator("#strip, #binds").locator("visible=true").count() == 0
    page.get_by_role("button", name="Reveal").click()
    wait_bars(page, "measured", [0, 0, 4, 0])
    assert page.locator("#dots circle").count() == 4
    assert "median ×7.5" in page.locator("#dots").get_attribute("aria-label")
    assert "KV capacity: 3" in page.locator("#marks").inner_text()
    assert page.locator("#marks .r-kv_capacity").count() == 3
    learners(room, 1, 3)
    page.get_by_text("1 more after the reveal").wait_for(timeout=20_000)
    assert page.evaluate(BARS, "predicted") == [3, 0, 4, 0]


@pytest.mark.reacts("room-hide")
def test_the_instructor_hides_a_reveal_again(page, room):
    learners(room, 2, 1, lambda i: measurement(OPTIONS[1], 3.0 + i))
    open_as_instructor(page, room)
    hide = page.get_by_role("button", name="Hide again")
    assert not hide.is_visible()
    page.get_by_role("button", name="Reveal").click()
    wait_bars(page, "measured", [0, 2, 0, 0])
    hide.click()
    wait_bars(page, "measured", [])
    assert not page.locator("#strip").is_visible() and not hide.is_visible()
    learners(room, 1, 3)
    wait_bars(page, "predicted", [0, 2, 0, 1])
    assert page.get_by_role("button", name="Reveal").is_enabled()


@pytest.mark.reacts("room-next")
@pytest.mark.reacts("room-previous")
@pytest.mark.reacts("room-question")
def test_the_instructor_chooses_the_question_by_mouse_keys_or_clicker(page, room):
    open_as_instructor(page, room)
    shown = page.locator("#place")
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    shown.get_by_text("question 3 of").wait_for(timeout=20_000)
    page.get_by_role("button", name="Previous").click()
    shown.get_by_text("question 2 of").wait_for(timeout=20_000)
    page.keyboard.press("PageUp")
    shown.get_by_text("question 1 of").wait_for(timeout=20_000)
    choice = page.get_by_label("Question on the screen")
    choice.select_option(index=0)
    page.locator("#lab").get_by_text("Lab 00").wait_for(timeout=20_000)
    assert page.get_by_role("button", name="Previous").is_disabled()
    assert re.match("00 busy", choice.locator("option:checked").inner_text())


@pytest.mark.reacts("room-enter")
@pytest.mark.reacts("room-theme")
def test_a_guest_enters_with_the_code_and_decides_nothing(page, room):
    page.goto(f"http://127.0.0.1:{room.port}/")
    code = page.get_by_label("The code on the screen")
    code.fill("WRONG1")
    page.get_by_role("button", name="Enter").click()
    page.get_by_text("another code").wait_for(timeout=20_000)
    code.fill(room.code.lower())
    page.keyboard.press("Enter")
    page.locator("#question").get_by_text("32 sequences").wait_for(timeout=20_000)
    assert not page.locator("#controls").is_visible()
    assert f'lab.join("{room.where}")' in page.locator("#join").inner_text()
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(ground) != dark
    page.reload()
    page.locator("#question").get_by_text("32 sequences").wait_for(timeout=20_000)
    assert page.evaluate(ground) != dark


def test_the_page_goes_on_by_itself_when_the_server_is_back(page, tmp_path):
    with running(tmp_path) as room:
        port = room.port
        room.instruct("open")
        open_as_instructor(page, room)
    page.get_by_text("does not answer").wait_for(timeout=20_000)
    with running(tmp_path, port) as again:
        learners(again, 2, 1)
        wait_bars(page, "predicted", [0, 2, 0, 0])
        assert not page.locator("#trouble").is_visible()
