"""The page of a report, read as a browser reads it, and the checks of its numbers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

__all__ = ["Page", "check_report", "read_page"]

_VOID = {"meta", "br", "input", "link"}
#: Attributes by which a page may load something.
_LOADING = {"src", "srcset", "data", "poster", "background", "action", "formaction", "ping", "xlink:href"}


class Page(HTMLParser):
    """A page.

    Attributes:
        tables: by the heading before them and their own number, the texts of their cells.
        tiles: the numbers at its top.
        legends: for each bar or chart, what its legend counts.
        links: where links lead.
        text: all text but that of style and script.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self._heading = ""
        self._parts: list[str] = []
        self.tables: dict[tuple[str, int], list[list[str]]] = {}
        self.tiles: dict[str, str] = {}
        self._term = ""
        self.links: list[str] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self.legends: list[dict[str, int]] = []
        self.policy = ""
        self.widths: list[list[float]] = []
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert len(values) == len(attrs), attrs
        assert not _LOADING & values.keys(), attrs
        assert not any(name.startswith("on") or name == "style" for name in values), attrs
        if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        if tag == "a":
            self.links.append(values["href"] or "")
        if tag in {"h1", "h2", "h3", "dt", "dd", "td", "th", "li", "style", "script"}:
            self._parts = []
        if tag == "table":
            number = sum(heading == self._heading for heading, _ in self.tables)
            self.tables[self._heading, number] = []
        if tag == "tr":
            [*self.tables.values()][-1].append([])
        if tag == "ul" and values.get("class") == "legend":
            self.legends.append({})
        if tag == "svg" and values.get("class") == "bar":
            self.widths.append([])
        if tag == "rect" and self._open[-1][1].get("class") == "bar":
            self.widths[-1].append(float((values["width"] or "").removesuffix("%")))
        if tag not in _VOID:
            self._open.append((tag, values))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not _LOADING & dict(attrs).keys(), attrs

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, (opened, tag, self.getpos())
        text = " ".join("".join(self._parts).split())
        if tag in {"h1", "h2", "h3"}:
            self._heading = text
        elif tag == "dt":
            self._term = text
        elif tag == "dd":
            self.tiles[self._term] = text
        elif tag in {"td", "th"}:
            [*self.tables.values()][-1][-1].append(text)
        elif tag == "li" and self.legends and (match := re.match(r"([\d,]+) ([^(]+[^( ])", text)):
            self.legends[-1][match[2]] = int(match[1].replace(",", ""))
        elif tag in {"style", "script"}:
            self.raw[tag] = "".join(self._parts)

    def handle_data(self, data: str) -> None:
        self._parts.append(data)
        if not any(tag in {"style", "script"} for tag, _ in self._open):
            self.text += data

    def table(self, heading: str, number: int = 0) -> list[list[str]]:
        """The rows of a table, without its head."""
        rows = self.tables[heading, number]
        return [row for row in rows if row][1:] if rows[0][0] in _HEADS else rows


_HEADS = {"outcome", "contacts", "code", "job", "setting"}


def read_page(path: Path) -> Page:
    """A page, which must be well-formed, need nothing else and be readable by its owner alone."""
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_suffix(".md").stat().st_mode & 0o777 == 0o600
    page = Page(path.read_text(encoding="utf-8"))
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy
    assert "default-src 'none'" in page.policy
    assert not any(re.match(r"[a-z]+:|//", link) for link in page.links)
    assert not re.search(r"url\(|@import|https?://|fetch|XMLHttp", "".join(page.raw.values()))
    return page


def check_report(path: Path, outcomes: Mapping[str, Any]) -> Page:
    """A page whose numbers add up, and are those that the run logged."""
    page = read_page(path)
    for (heading, _), rows in page.tables.items():
        if rows and rows[0][:2] == ["outcome", "rows"]:
            *parts, (words, whole) = ((words, int(number.replace(",", ""))) for words, number in rows[1:])
            assert words == "all rows"
            assert sum(number for _, number in parts) == whole, (heading, rows)
    for widths in page.widths:
        assert abs(sum(widths) - 100) < 0.1 or widths == []
    if not outcomes:
        return page
    opened = outcomes["rows_held"] + outcomes["rows_without_outcome"]
    tiles = {name: int(number.replace(",", "")) for name, number in page.tiles.items()}
    assert tiles["rows"] == outcomes["rows"] + opened
    shown = ("delivered", "unchanged", "superseded", "skipped", "withheld", "rejected")
    counts = {name: outcomes[name] for name in shown if outcomes[name]}
    counts |= {
        name: outcomes[of] for name, of in (("held back", "rows_held"), ("without an outcome", "rows_without_outcome"))
    }
    assert {name: tiles.get(name, 0) for name in counts} == counts
    if tiles["rows"]:
        assert page.legends[0] == {name: number for name, number in counts.items() if number}
        assert sum(page.legends[0].values()) == tiles["rows"]
    reasons = Counter(
        {row[0]: int(row[2].replace(",", "")) for row in page.table("Reasons")} if ("Reasons", 0) in page.tables else {}
    )
    assert reasons == Counter(outcomes["reasons"])
    assert "calls" in tiles
    return page
