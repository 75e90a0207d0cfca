"""A picture of figures: lines over logarithmic axes, as SVG; the same figures give the same picture.

Colours and greys are of middle brightness on no background, so that it is legible on a light and on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

import msgspec

WIDTH: Final = 760
PLOT: Final = (64, 34, 280, 210)  # left, top, width, height within a panel
PANEL: Final = WIDTH // 2
HEIGHT: Final = 340
GREY: Final = "#7d8590"
COLOURS: Final = ("#0a84d6", "#d9730d", "#2e9e5b", "#b05cc4")


class Panel(msgspec.Struct, frozen=True):
    """Lines over the same axes.

    Attributes:
        title: what is measured, and its unit.
        lines: by name, pairs of rows and seconds, in order of rows.
    """

    title: str
    lines: Mapping[str, Sequence[tuple[int, float]]]


def drawn(panels: Sequence[Panel]) -> str:
    """The picture."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{GREY}">'
    )
    parts = [head]
    parts.append(f"<title>{escape('; '.join(panel.title for panel in panels))}</title>")
    for at, panel in enumerate(panels):
        parts.append(f'<g transform="translate({at * PANEL} 0)">')
        parts.extend(_panel(panel))
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> Iterator[str]:
    left, top, width, height = PLOT
    points = [point for line in panel.lines.values() for point in line]
    least, most = (edge(math.log10(rows) for rows, _ in points) for edge in (min, max))
    low, high = (
        math.floor(min(math.log10(seconds) for _, seconds in points)),
        math.ceil(max(math.log10(seconds) for _, seconds in points)),
    )

    def x(rows: float) -> float:
        return left + width * (math.log10(rows) - least) / (most - least)

    def y(seconds: float) -> float:
        return top + height * (high - math.log10(seconds)) / (high - low)

    yield f'<text x="{left}" y="18" font-weight="600">{escape(panel.title)}</text>'
    for power in range(low, high + 1):
        at = y(10**power)
        yield f'<path d="M{left} {at:.1f}h{width}" stroke="{GREY}" stroke-opacity=".35"/>'
        yield f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power:g} s</text>'
    for rows in sorted({rows for rows, _ in points}):
        yield f'<path d="M{x(rows):.1f} {top}v{height}" stroke="{GREY}" stroke-opacity=".2"/>'
        yield f'<text x="{x(rows):.1f}" y="{top + height + 18}" text-anchor="middle">{rows:,}</text>'
    for at, (name, line) in enumerate(panel.lines.items()):
        colour = COLOURS[at]
        path = "L".join(f"{x(rows):.1f} {y(seconds):.1f}" for rows, seconds in line)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        yield from (f'<circle cx="{x(r):.1f}" cy="{y(s):.1f}" r="3.5" fill="{colour}"/>' for r, s in line)
        row = top + height + 42 + 18 * at
        yield f'<path d="M{left} {row - 4}h22" stroke="{colour}" stroke-width="2.5"/>'
        yield f'<text x="{left + 30}" y="{row}">{escape(name)}</text>'
