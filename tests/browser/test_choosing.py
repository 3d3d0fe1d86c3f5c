"""Whoever chooses again and again while a cell is awaited is heard each time."""

CHOOSING = "fixtures/choosing.ipynb"
RUN = "void jupyterapp.commands.execute('notebook:run-cell')"


def test_every_choice_arrives_while_its_cell_is_awaited(open_notebook):
    notebook = open_notebook(CHOOSING, height=600)
    notebook.page.evaluate(RUN)
    box = notebook.page.locator(".jp-OutputArea-output", has=notebook.page.locator(".choice"))
    said = "heard"
    for name in ("b", "c", "a", "b"):
        box.get_by_role("button", name=name, exact=True).click()
        said += f" {name}"
        box.get_by_text(said, exact=True).wait_for(timeout=10_000)
        assert notebook.busy or said.count(" ") == 4
    notebook.wait_idle(30)
    assert notebook.outputs()[0][-1] == ["execute_result", "4"]
