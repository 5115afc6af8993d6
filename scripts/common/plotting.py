"""The one style of all figures: sizes, fonts, a fixed colour and marker per method, and how a figure is saved.

Measured values are drawn solid, values printed in a paper hollow or dashed. Intervals are 95 % t-intervals over seeds.
A t-interval of few seeds may reach beyond what a measure can be (105 % of accuracy): it is drawn up to there, without
the mark at its end, and a line below the figure says so; the CSV holds it whole.
Figures are made without pyplot: nothing global is kept between them and no display is needed.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.bounds import ANY, Bounds
from scripts.common.files import PathLike, atomic_path, write_csv
from scripts.common.method_styles import method_style
from scripts.common.spread import Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches: one column and the whole width of a two-column page; "page" fits a phone held upright at its printed size.
WIDTHS = {"single": 3.35, "page": 4.9, "double": 6.9}
PNG_DPI = 200
MINI_STAMP = "mini tier: synthetic stand-in"
CUT_NOTE = "an interval without an end mark goes on beyond what the measure can be"
STAMP_STRIP = 0.12  # inches added below a figure with a stamp or a note
BELOW = ("stamp", "note")  # marks the texts in that strip
CUT = "cut"  # marks an interval that is not drawn whole
MOST_ERROR_BARS = 8  # a line of more points has a band instead
SHIFT_STEP = 3.5  # points between the error bars of two methods at one place
INK = "#222222"
FAINT = "#8a8a8a"

RC_PARAMS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same letters, hence the same bytes, everywhere
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.borderaxespad": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "errorbar.capsize": 2,
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # TrueType: text in the PDF stays text
    "ps.fonttype": 42,
    "pdf.compression": 6,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
}


def line_style(method: str, *, published: bool = False) -> dict[str, Any]:
    """Return keywords for `Axes.plot` and `errorbar`: solid and filled for ours, dashed and hollow for a paper's."""
    style = method_style(method)
    face = "white" if published else style.color
    return {
        "color": style.color,
        "marker": style.marker,
        "linestyle": (0, (4, 2)) if published else style.linestyle,
        "markerfacecolor": face,
        "markeredgecolor": style.color,
        "label": f"{style.label} (published)" if published else style.label,
    }


def bar_style(method: str, *, published: bool = False) -> dict[str, Any]:
    """Return keywords for `Axes.bar` and `Axes.barh`: filled for ours, an empty bar with dashed edge for a paper's."""
    style = method_style(method)
    return {
        "facecolor": "white" if published else style.color,
        "edgecolor": style.color,
        "linestyle": "--" if published else "-",
        "linewidth": 0.9,
        "label": f"{style.label} (published)" if published else style.label,
    }


def new_figure(
    width: str = "single", height: float = 2.3, nrows: int = 1, ncols: int = 1, **subplots: Any
) -> tuple[Figure, Any]:
    """Return a figure in the common style and its axes (one, or an array as from `Figure.subplots`).

    width: "single" or "double" column; height: inches; further keywords go to `Figure.subplots`.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if width not in WIDTHS:
        raise ValueError(f"width must be one of {', '.join(WIDTHS)}, not {width!r}")
    matplotlib.rcParams.update(RC_PARAMS)
    figure = Figure(figsize=(WIDTHS[width], height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)  # type: ignore[union-attr]
    return figure, figure.subplots(nrows, ncols, **subplots)


def draw_line(
    axes: Axes,
    x: Sequence[float],
    spreads: Sequence[Spread],
    method: str,
    *,
    published: bool = False,
    shift: float = 0.0,
    bounds: Bounds = ANY,
    **style: Any,
) -> None:
    """Draw means over `x` as a line with their 95 % intervals over seeds: error bars, or a band where points are many.

    shift: points to the side, so that the error bars of several methods stand beside each other (`shifts`); bounds:
    what the measure can be, beyond which no interval is drawn; further keywords overrule the method's style. Single
    values get neither bar nor band.
    """
    keywords = {**line_style(method, published=published), **style}
    if len(x) <= MOST_ERROR_BARS:
        _error_bars(axes, x, spreads, keywords, shift, bounds)
        return
    axes.plot(x, [value.mean for value in spreads], **{**keywords, "markersize": 2.5})
    if any(value.half_width is not None for value in spreads):
        lows, highs = zip(*(_ends(value, bounds) for value in spreads))
        axes.fill_between(x, lows, highs, color=keywords["color"], alpha=0.15, linewidth=0)


def draw_points(
    axes: Axes,
    x: Sequence[float],
    spreads: Sequence[Spread],
    method: str,
    *,
    published: bool = False,
    shift: float = 0.0,
    bounds: Bounds = ANY,
) -> None:
    """Draw means at `x` as markers with the 95 % interval over seeds as error bars; single values get no bar.

    shift, bounds: as for `draw_line`.
    """
    _error_bars(axes, x, spreads, {**line_style(method, published=published), "linestyle": "none"}, shift, bounds)


def draw_across(axes: Axes, y: float, value: Spread, method: str, *, bounds: Bounds = ANY) -> None:
    """Draw one mean as a marker at the height `y` with its 95 % interval over seeds lying across."""
    low, high = _ends(value, bounds)
    keywords = {**line_style(method), "linestyle": "none"}
    bars = axes.errorbar([value.mean], [y], xerr=[[value.mean - low], [high - value.mean]], elinewidth=1.1, **keywords)
    _open_ends(bars, [value], bounds, "x")


def shifts(n: int) -> list[float]:
    """Return how far to the side, in points, each of n methods is drawn so that their error bars do not overlap."""
    return [SHIFT_STEP * (number - (n - 1) / 2) for number in range(n)]


def shift_aside(axes: Axes, artists: Sequence[Any], shift: float) -> None:
    """Move what is drawn in a panel `shift` points to the side; the panel's limits stay those of the data."""
    from matplotlib.transforms import ScaledTranslation

    aside = axes.transData + ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)
    for artist in artists:
        artist.set_transform(aside)


def _ends(value: Spread, bounds: Bounds) -> tuple[float, float]:
    """Return the ends of an interval, moved to what the measure can be."""
    return max(value.low, min(bounds[0], value.mean)), min(value.high, max(bounds[1], value.mean))


def _lengths(spreads: Sequence[Spread], bounds: Bounds) -> list[list[float]] | None:
    """Return how far the intervals reach below and above their means, None where there is no interval."""
    if not any(value.half_width for value in spreads):
        return None
    ends = [_ends(value, bounds) for value in spreads]
    below = [value.mean - low for value, (low, _) in zip(spreads, ends)]
    return [below, [high - value.mean for value, (_, high) in zip(spreads, ends)]]


def _open_ends(bars: Any, spreads: Sequence[Spread], bounds: Bounds, axis: str) -> None:
    """Take the marks from the ends of intervals that go on beyond the bounds, and mark the figure as having such."""
    _, caps, stems = bars.lines
    cut = [[value.low < bounds[0] for value in spreads], [value.high > bounds[1] for value in spreads]]
    for cap, hidden in zip(caps, cut):
        if any(hidden):
            places = getattr(cap, f"get_{axis}data")()
            getattr(cap, f"set_{axis}data")([math.nan if no else place for no, place in zip(hidden, places)])
            stems[0].set_gid(CUT)


def _error_bars(
    axes: Axes,
    x: Sequence[float],
    spreads: Sequence[Spread],
    keywords: Mapping[str, Any],
    shift: float,
    bounds: Bounds,
) -> None:
    errors = _lengths(spreads, bounds)
    bars = axes.errorbar(x, [value.mean for value in spreads], yerr=errors, elinewidth=0.9, **keywords)
    if errors:
        _open_ends(bars, spreads, bounds, "y")
    shift_aside(axes, bars.get_children(), shift)


def draw_bars(
    axes: Axes,
    positions: Sequence[float],
    spreads: Sequence[Spread | None],
    method: str,
    *,
    width: float = 0.8,
    published: bool = False,
    bounds: Bounds = ANY,
) -> None:
    """Draw mean bars with 95 % intervals over seeds; None leaves the place empty with a dash, for what was not run.

    bounds: what the measure can be, beyond which no interval is drawn.
    """
    from matplotlib.patheffects import withStroke

    drawn = [(place, value) for place, value in zip(positions, spreads) if value is not None]
    bars = axes.bar(
        [place for place, _ in drawn],
        [value.mean for _, value in drawn],
        width,
        yerr=_lengths([value for _, value in drawn], bounds),
        error_kw={"elinewidth": 0.9, "ecolor": INK},
        **bar_style(method, published=published),
    )
    if bars.errorbar is not None:
        _open_ends(bars.errorbar, [value for _, value in drawn], bounds, "y")
        _, caps, stems = bars.errorbar.lines
        for artist in (*caps, *stems):
            artist.set_path_effects([withStroke(linewidth=2.2, foreground="white")])  # visible on dark bars
    for place, value in zip(positions, spreads):
        if value is None:
            axes.annotate(
                "—", (place, 0), xycoords=axes.get_xaxis_transform(), ha="center", va="bottom", color=FAINT, fontsize=7
            )


def stamp_tier(figure: Figure, tier: str) -> None:
    """Write below a mini-tier figure, small and grey, that its data are synthetic; other tiers stay unstamped."""
    if tier != "mini":
        return
    _write_below(figure, 0.995, MINI_STAMP, ha="right", style="italic", gid="stamp")


def note_cut_intervals(figure: Figure) -> None:
    """Write below a figure, small and grey, what a missing end mark means, if any interval in it has none."""
    if figure.findobj(lambda artist: artist.get_gid() == CUT):
        narrow = figure.get_figwidth() < WIDTHS["page"]
        _write_below(figure, 0.005, CUT_NOTE, ha="left", gid="note", line=int(narrow))


def _write_below(figure: Figure, x: float, text: str, *, line: int = 0, **style: Any) -> None:
    # Below the figure's edge, where `save_figure` adds a strip: no legend or label can get in its way.
    below = -(0.6 + line) * STAMP_STRIP / figure.get_figheight()
    figure.text(x, below, text, va="center", fontsize=5.5, color=FAINT, **style)


def save_figure(
    figure: Figure,
    rows: Sequence[Mapping[str, Any]],
    *,
    pdf: PathLike,
    png: PathLike,
    csv: PathLike,
    columns: Sequence[str] | None = None,
) -> None:
    """Write a figure as PDF and PNG and the rows it draws as CSV; all are rendered before the first file is written.

    The files hold no date and no version, so equal figures are equal bytes. columns: their order in the CSV; without
    it that of the first row.
    Raises ValueError if there are no rows: a figure always comes with its numbers.
    """
    if not rows:
        raise ValueError("save_figure: no rows to write beside the figure")
    from matplotlib.transforms import Bbox

    below = [text.get_position()[1] * figure.get_figheight() for text in figure.texts if text.get_gid() in BELOW]
    strip = 0.4 * STAMP_STRIP - min(below) if below else 0.0
    page = Bbox([[0.0, -strip], [figure.get_figwidth(), figure.get_figheight()]])  # inches
    rendered = {}
    pages = ((pdf, "pdf", {"CreationDate": None, "Creator": None, "Producer": None}), (png, "png", {"Software": None}))
    for path, kind, metadata in pages:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=metadata, bbox_inches=page)
        rendered[path] = buffer.getvalue()
    for path, content in rendered.items():
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    cells = [{key: _number_text(value) for key, value in row.items()} for row in rows]
    write_csv(csv, cells, list(columns or rows[0]))


def _number_text(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else value
