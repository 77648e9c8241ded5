"""Published results: the texts and the page say what the JSON files hold."""

import re
from pathlib import Path

import pytest

from ablations import report as writers
from ablations.tables import TABLES
from pointcept_wsegpc.files import read_json

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = sorted(DOCS.glob("results/*/*.json"))
PAGE = DOCS / "results.md"


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_texts_are_of_the_numbers(path):
    result = read_json(path)
    assert path.stem.removesuffix("-partial") == result["table"].removesuffix("-partial")
    assert result["table"].removesuffix("-partial") in TABLES
    assert path.with_suffix(".md").read_text(encoding="utf-8") == writers.markdown(result)
    assert path.with_suffix(".tex").read_text(encoding="utf-8") == writers.latex(result)
    assert path.with_suffix(".png").stat().st_size > 5000
    assert not result["failures"] and "/" not in result["where"]


def test_tables_of_the_page_are_the_published_ones():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    published = {
        line
        for path in RESULTS
        for line in path.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    }
    shown = [line for line in lines if line.startswith("|")]
    assert len(shown) > 10
    assert [line for line in shown if line not in published] == []


def test_links_of_the_page_are_there():
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(links) > 3
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
