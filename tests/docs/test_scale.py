"""The tables of docs/scale.md are what its formulae give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import scale

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", [scale.tables, scale.journals])
def test_the_tables_are_computed(table):
    assert table() in PAGE


@pytest.mark.parametrize(
    ("route", "rows", "calls"),
    [
        ("Mailjet `json`", "| Mailjet | `json` | new, changed |", 43),
        ("Mailjet `csv`", "| Mailjet | `csv` | new, changed |", 63),
        ("Mailjet `contact`", "| Mailjet | `contact` | new |", 400_250),
        ("Amazon SES `direct`", "| Amazon SES contact list | `direct` | new |", 100_100),
        ("PostGrid `contacts`", "| PostGrid | `contacts` | new |", 101_050),
        ("PostGrid `import`", "| PostGrid | `import` | new |", 111),
    ],
)
def test_calls_are_those_that_were_measured(route, rows, calls):
    measured = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    [found] = re.findall(rf"^{re.escape(rows)} ([\d,]+) \|", measured, re.MULTILINE)
    case = next(case for case in scale.CASES if case.name == route)
    assert int(found.replace(",", "")) == calls == round(case.calls(100_000))
