"""A chart that stands still is shown once, light or dark as the page is."""

PICTURE = "fixtures/picture.ipynb"
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
