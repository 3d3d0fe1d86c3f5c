"""A chart that stands still is shown once, light or dark as the page is."""

PICTURE, LONG = "fixtures/picture.ipynb", "labs/05_paged_kv.ipynb"
CUT = """() => [...document.querySelectorAll('.cl-panel .cl-chart .cl-canvas')].map((place) =>
    place.querySelector('canvas').getBoundingClientRect().width - place.clientWidth)"""
SHOWN = """() => ['light', 'dark'].filter((theme) => {
    const found = document.querySelectorAll(`img.cl-${theme}-only`);
    return [...found].some((image) => image.checkVisibility());
})"""


def test_a_picture_is_shown_in_the_page_s_theme_and_in_no_other(open_notebook, shot):
    notebook = open_notebook(PICTURE, theme="light", height=600)
    notebook.run_cells(0, 1)
    notebook.page.locator("img.cl-light-only").wait_for(timeout=30_000)
    assert notebook.page.evaluate(SHOWN) == ["light"]
    notebook.theme("dark")
    notebook.page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    assert notebook.page.evaluate(SHOWN) == ["dark"]
    shot(notebook, "picture-dark")


def test_charts_fit_their_cards_when_the_theme_changed_while_they_were_out_of_sight(open_notebook):
    notebook = open_notebook(LONG, theme="light", height=700)
    notebook.run_cells(0, 3)
    notebook.show_cell(2)
    notebook.page.wait_for_selector(".cl-panel[data-ready=true]", timeout=60_000)
    last = len(notebook.outputs()) - 1
    for theme in ("dark", "light"):
        notebook.show_cell(last)
        notebook.page.wait_for_timeout(700)
        notebook.theme(theme)
        notebook.page.wait_for_timeout(1500)
        notebook.show_cell(2)
        notebook.page.wait_for_selector(f".cl-panel[data-theme={theme}]", timeout=10_000)
        notebook.page.wait_for_timeout(1000)
        off = notebook.page.evaluate(CUT)
        assert len(off) == 3 and max(map(abs, off)) <= 1, (theme, off)
