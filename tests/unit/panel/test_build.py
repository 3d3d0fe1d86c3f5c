"""The committed bundle: made from the sources as they are, and nothing to fetch."""

import json
import re
import shutil

import pytest

from constraintlab.limits.resource import Resource
from constraintlab.panel import build, palette, specs

STATIC = build.BUNDLE.parent

NAMES = (
    "http://www.w3.org/",  # XML namespaces
    "https://vega.github.io/schema/",  # ids of a spec's version
    "https://vega.github.io/editor/",  # opened by a click in a menu that the panel hides
    "https://github.com/vega/vega-lite/issues/",  # in the text of a warning
)
"""Addresses that name something and are never fetched by themselves."""

ADDRESS = re.compile(r"""(?:https?:|wss?:|["'`(])//[\w-]+(?:\.[\w-]+)+[^\s"'`)]*""")


@pytest.fixture(scope="module")
def bundle():
    return build.BUNDLE.read_text(encoding="utf-8")


def walk(node):
    """All (key, value) of a spec, however deep."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield key, value
        if isinstance(value, dict | list):
            yield from walk(value)


def test_the_bundle_was_built_from_the_sources_as_they_are(bundle):
    assert bundle.split("\n", 1)[0] == build.stamp(), "run python -m constraintlab.panel.build"


def test_the_stored_specs_are_what_the_charts_author_now():
    assert specs.stored() == json.loads(json.dumps(specs.author()))


def test_every_source_is_bundled():
    assert {path.stem for path in (build.HERE / "src").glob("*.js")} == set(build.SOURCES)


@pytest.mark.parametrize("name", [*build.SOURCES, "specs"])
def test_the_stamp_changes_with_each_source(name, tmp_path, monkeypatch):
    before = build.stamp()
    shutil.copytree(build.HERE / "src", tmp_path / "src")
    shutil.copy(specs.FILE, tmp_path / "specs.json")
    monkeypatch.setattr(build, "HERE", tmp_path)
    monkeypatch.setattr(specs, "FILE", tmp_path / "specs.json")
    assert build.stamp() == before
    changed = tmp_path / ("specs.json" if name == "specs" else f"src/{name}.js")
    changed.write_text(changed.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert build.stamp() != before


def test_nothing_in_the_panel_is_fetched_from_elsewhere(bundle):
    texts = [bundle, (STATIC / "panel.css").read_text(encoding="utf-8")]
    found = {address for text in texts for address in ADDRESS.findall(text)}
    assert {a for a in found if not a.startswith(NAMES)} == set()
    assert any("w3.org" in a for a in found), "the search finds what is there"


@pytest.mark.parametrize(
    "text",
    ['import("https://cdn.example.org/vega.js")', "url(//fonts.example.org/a)", "'wss://a.b/c'"],
)
def test_the_search_for_addresses_would_find_one(text):
    assert ADDRESS.search(text)


def test_the_bundle_imports_nothing_and_the_style_sheet_neither(bundle):
    assert not re.search(r"""(?:^|[;}\s])(?:import|export)\b[^;()]{0,200}\bfrom\s*["']""", bundle)
    assert not re.search(r"""\bimport\s*\(|(?:^|;)\s*import\s*["']""", bundle)
    style = (STATIC / "panel.css").read_text(encoding="utf-8")
    assert "@import" not in style and "url(" not in style


def test_the_specs_name_their_data_and_load_none():
    for theme in palette.THEMES:
        found = list(walk(specs.stored()[theme]))
        assert [value for key, value in found if key == "url"] == []
        named = {v["name"] for k, v in found if k == "data" and "name" in v}
        assert named == {"worth", "roof", "dots", "rows", "ends"}


def test_every_resource_has_a_colour_and_a_mark_of_its_own():
    for of in (palette.COLOURS, palette.MARKS):
        assert set(of) == set(Resource)
        assert len(set(of.values())) == len(Resource)
    assert all(re.fullmatch("#[0-9A-F]{6}", c) for c in palette.COLOURS.values())
