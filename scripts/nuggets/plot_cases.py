"""Draw the highest and the lowest scored examples side by side, long texts cut (NUGGETS, case figure)."""

from __future__ import annotations

import functools
from typing import Any, Mapping, Sequence

from scripts.common.artifacts import FIGURE, artifact_flags
from scripts.common.errors import UserError, run_step
from scripts.common.figures import save
from scripts.common.files import read_csv
from scripts.common.plotting import FAINT, INK, WIDTHS, new_figure
from scripts.selection.methods import method_style

SIZE = 6.5  # points
LINE = SIZE * 1.35 / 72  # inches
PAD, GAP = 0.08, 0.1  # inches: inside a card, between cards
MAX_LINES = {"instruction": 3, "input": 3, "output": 6}
NAMES = {"instruction": "Instruction", "input": "Input", "output": "Response"}
SIDES = {"highest": "top", "lowest": "bottom"}


def text_width(text: str) -> float:
    """Return how wide a line of text is printed, in inches, letter by letter (kerning would only make it narrower)."""
    return sum(map(_letter_width, text))


@functools.cache
def _letter_width(letter: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    properties = FontProperties(family="DejaVu Sans", size=SIZE)
    return TextToPath().get_text_width_height_descent(letter, properties, ismath=False)[0] / 72


def wrap(text: str, width: float, max_lines: int) -> list[str]:
    """Break a text into lines of at most `width` inches; what does not fit in `max_lines` is cut with an ellipsis.

    Line breaks of the text are kept, empty lines are not; a word wider than a line is broken.
    """
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            joined = f"{line} {word}" if line else word
            if text_width(joined) <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            while text_width(word) > width:
                n = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or text_width(word[:n]) <= width)
                lines.append(word[:n])
                word = word[n:]
            line = word
            if len(lines) > max_lines:
                break
        if line:
            lines.append(line)
        if len(lines) > max_lines:
            break
    if len(lines) <= max_lines:
        return lines
    last = lines[max_lines - 1]
    while last and text_width(f"{last} …") > width:
        last = last[:-1]
    return [*lines[: max_lines - 1], f"{last.rstrip()} …"]


def card_lines(row: Mapping[str, str], width: float) -> list[tuple[str, str]]:
    """Return the lines of one example as (kind, text): its score, then name and wrapped text of each field."""
    known = row.get("quality", "")
    quality = f", known {'to be good' if known == 'good' else f'fault: {known}'}" if known else ""
    lines = [("head", f"score {float(row['golden_score']):.3f}, rank {int(float(row['rank'])):,}{quality}")]
    for field, name in NAMES.items():
        if field == "input" and not row[field].strip():
            continue
        lines.append(("name", name))
        wrapped = wrap(row[field], width, MAX_LINES[field])
        lines += [("text", line) for line in wrapped] or [("empty", "(empty)")]
    return lines


def draw_card(axes: Any, x: float, top: float, width: float, lines: Sequence[tuple[str, str]], color: str) -> float:
    """Draw one card with its top edge at `top` (inches from above) and return where it ends."""
    from matplotlib.patches import FancyBboxPatch

    height = len(lines) * LINE + 2 * PAD
    box = FancyBboxPatch(
        (x, top),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.05",
        facecolor="white",
        edgecolor=color,
        linewidth=0.9,
    )
    axes.add_patch(box)
    for number, (kind, text) in enumerate(lines):
        style = {"weight": "bold"} if kind in ("head", "name") else {}
        ink = {"head": color, "name": INK, "empty": FAINT}.get(kind, INK)
        place = top + PAD + number * LINE
        axes.text(x + PAD, place, text, fontsize=SIZE, va="top", color=ink, parse_math=False, **style)
    return top + height


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    args = artifact_flags(argv, __doc__, FIGURE, files={"cases": "CSV of the case table"})
    rows = read_csv(args.cases, ("side", "rank", "golden_score", "instruction", "input", "output"))
    if not rows:
        raise UserError(f"{args.cases}: holds no cases; make the case table again")
    width = (WIDTHS["double"] - 3 * GAP) / 2
    cards = {side: [card_lines(r, width - 2 * PAD) for r in rows if r["side"] == side] for side in SIDES}
    title = 1.8 * LINE
    height = GAP + title + max(sum(len(c) * LINE + 2 * PAD + GAP for c in side) for side in cards.values()) + 0.1
    figure, axes = new_figure("double", height)
    axes.set_xlim(0, WIDTHS["double"])
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    for place, (side, like) in enumerate(SIDES.items()):
        color, x = method_style(like).color, GAP + place * (width + GAP)
        axes.text(x, GAP, f"{side} golden scores", fontsize=8.5, weight="bold", va="top")
        top = GAP + title
        for lines in cards[side]:
            top = draw_card(axes, x, top, width, lines, color) + GAP
    save(figure, rows, list(rows[0]), args)


if __name__ == "__main__":
    run_step(main)
