"""The one page of a comparison: verdicts, table and figure in one HTML file without scripts, fonts or server."""

from __future__ import annotations

import dataclasses
import html
from typing import Sequence

from scripts.own.results import Result

WIDTH, LEFT, RIGHT, ROW = 760, 170, 30, 34
BETTER, WORSE, OPEN = "#0072b2", "#d55e00", "#666666"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { white-space: normal; }
th:first-child, td:first-child { text-align: left; }
ul.verdicts { padding-left: 1.2rem; } p.facts { color: #555; }
@media (prefers-color-scheme: dark) { body { background: #fff; } }
"""


@dataclasses.dataclass(frozen=True)
class Page:
    """title: what was chosen from; facts: how it was compared; results: the model as it is, random, the ways, all."""

    title: str
    facts: str
    results: Sequence[Result]


def render(page: Page) -> str:
    """Return the page."""
    verdicts = "".join(f"<li>{html.escape(one.said)}</li>" for one in page.results if one.said)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(page.title)}</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{html.escape(page.title)}</h1>\n<ul class=verdicts>{verdicts}</ul>\n"
        f"<p class=facts>{html.escape(page.facts)}.</p>\n{figure(page.results)}\n{table(page.results)}\n"
        "</body></html>\n"
    )


def table(results: Sequence[Result]) -> str:
    """Return the results as a table."""
    head = (
        "",
        "nats per token",
        "against random",
        "95 % interval",
        "ROUGE-1",
        "choosing, GFLOP",
        "in trainings",
        "seconds",
    )
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"]
    for one in results:
        difference = one.difference
        cells = [
            html.escape(one.name),
            f"{one.loglik:.3f}",
            "" if difference is None else f"{difference.mean:+.3f}",
            "" if difference is None else f"{difference.low:+.3f} to {difference.high:+.3f}",
            f"{one.rouge_1:.3f}",
            "" if one.flops is None else f"{one.flops / 1e9:,.3g}",
            "" if one.trainings is None else f"{one.trainings:,.3g}",
            "" if one.seconds is None else f"{one.seconds:,.0f}",
        ]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def figure(results: Sequence[Result]) -> str:
    """Return the differences from random with their intervals as a drawing."""
    drawn = [one for one in results if one.difference is not None]
    ends = [0.0, *(end for one in drawn for end in (one.difference.low, one.difference.high))]  # type: ignore[union-attr]
    low, high = min(ends), max(ends)
    margin = 0.05 * (high - low) or 1.0
    low, high = low - margin, high + margin
    height = ROW * len(drawn) + 50

    def x(value: float) -> float:
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    parts = [
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<line x1="{x(0)}" x2="{x(0)}" y1="10" y2="{height - 40}" stroke="#999" stroke-dasharray="4 3"/>'
    ]
    for number, one in enumerate(drawn):
        difference, y = one.difference, ROW * number + ROW // 2 + 6
        assert difference is not None
        color = OPEN if not difference.decided else BETTER if difference.mean > 0 else WORSE
        parts.append(
            f'<text x="{LEFT - 12}" y="{y + 5}" text-anchor="end">{html.escape(one.name)}</text>'
            f'<line x1="{x(difference.low)}" x2="{x(difference.high)}" y1="{y}" y2="{y}" stroke="{color}"'
            ' stroke-width="2"/>'
            f'<circle cx="{x(difference.mean)}" cy="{y}" r="5" fill="{color}"/>'
        )
    marks = [low + margin, 0.0, high - margin] if low < -margin and high > margin else [low + margin, high - margin]
    for value in dict.fromkeys(round(mark, 3) for mark in marks):
        parts.append(
            f'<text x="{x(value)}" y="{height - 22}" text-anchor="middle">{f"{value:+.2f}" if value else "0"}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{height - 4}" text-anchor="middle">'
        "nats per token better than random (95 % interval)</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-label="differences from random, 95 % intervals"'
        f' style="width:100%;font:14px system-ui,sans-serif">{"".join(parts)}</svg>'
    )
