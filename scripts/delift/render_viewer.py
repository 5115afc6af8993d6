"""Render DELIFT's interactive page: one file with data, script and style inside, no server, no network.

Four views, as in the original's viewer: what a model knows before and after learning from a subset, beside the subset
itself; all experiments; conditional gain and mutual information of a subset of k %; the map of two datasets. All text
from data is put into the page as text, never as markup.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, read_text, write_text
from scripts.common.metrics import read_merged, with_value
from scripts.common.settings import parse_settings
from scripts.delift.labels import LEARNING_LABELS, METRICS
from scripts.delift.viewer_data import RunFiles, by_run, experiments, run_data
from scripts.selection.methods import method_style

logger = logging.getLogger(__name__)

TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclasses.dataclass(frozen=True)
class ViewerSettings:
    """pairs: {pair: its stage, pool, reference}; methods: {method: what it chooses by}; known: measure and threshold;
    measures: of an answer; percents: sizes offered.
    """

    pairs: Mapping[str, Mapping[str, Any]]
    methods: Mapping[str, str]
    known: Mapping[str, Any]
    measures: Sequence[str]
    percents: Sequence[float]


def page(data: Mapping[str, Any], title: str) -> str:
    """Return the page. The data stand in it as JSON in which no character can end the script element."""
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(read_text(TEMPLATES / "viewer.html.j2"))
    return template.render(
        title=title,
        tier=data["tier"],
        style=read_text(TEMPLATES / "viewer.css"),
        plotly=get_plotlyjs(),
        script=read_text(TEMPLATES / "viewer.js"),
        data=script_json(data),
    )


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a script element: `<`, `>`, `&` and line separators are written as escapes."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def viewer_data(
    runs: Sequence[Mapping[str, Any]],
    table: tuple[list[str], list[dict[str, Any]]],
    settings: ViewerSettings,
    tier: str,
) -> dict[str, Any]:
    """Return everything the page's script reads."""
    metrics, rows = table
    styles = {name: method_style(name) for name in settings.methods}
    return {
        "tier": tier,
        "runs": list(runs),
        "experiments": {"metrics": metrics, "rows": rows},
        "known": dict(settings.known),
        "measures": list(settings.measures),
        "measure_labels": {
            name: METRICS[name][0] if name in METRICS else name for name in {*settings.measures, *metrics}
        },
        "learning_labels": LEARNING_LABELS,
        "methods": {
            name: {"label": style.label, "color": style.color, "by": settings.methods[name]}
            for name, style in styles.items()
        },
    }


def data_files(paths: Sequence[str], pair: str) -> dict[str, str]:
    """Return part -> file of a pair; files are named `<pair>/<part>.jsonl`."""
    found = {Path(path).stem: path for path in paths if Path(path).parent.name == pair}
    for part in ("pool", "test"):
        if part not in found:
            raise UserError(f"--data: no {part}.jsonl of pair '{pair}'; give it")
    return found


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", required=True, help="<pair>/<model> of everything that was run")
    parser.add_argument("--maps", required=True, help="JSON of map_examples")
    parser.add_argument("--data", nargs="+", required=True, help="JSONL files <pair>/<part>.jsonl")
    parser.add_argument("--measured", nargs="+", required=True, help="CSVs in the long schema, of score_answers")
    parser.add_argument("--scored", nargs="+", required=True, help="JSONL of score_answers, below <pair>/<model>")
    parser.add_argument("--kernels", nargs="*", required=True, help="folders of utility kernels, <pair>/<model>")
    parser.add_argument("--subsets", nargs="*", required=True, help="folders <pair>/<model>/<method>")
    parser.add_argument("--settings", required=True, help="JSON: the fields of ViewerSettings")
    parser.add_argument("--tier", required=True)
    parser.add_argument("--viewer-out", required=True, help="HTML")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Gather and render."""
    args = parse_args(argv)
    settings = parse_settings(ViewerSettings, args.settings)
    maps = read_json(args.maps)
    files = {flag: by_run(args.runs, getattr(args, flag), f"--{flag}") for flag in ("scored", "kernels", "subsets")}
    runs = []
    for pair, model in files["scored"]:
        run = (pair, model)
        if not files["scored"][run]:
            raise UserError(f"--scored: nothing of {pair}/{model}; give the JSONL of its answers")
        if pair not in maps:
            raise UserError(f"{args.maps}: no map of pair '{pair}'; lay it out again")
        here = RunFiles(
            pair,
            model,
            data_files(args.data, pair),
            files["scored"][run],
            next(iter(files["kernels"][run]), None),
            files["subsets"][run],
        )
        runs.append(run_data(here, maps[pair], settings.pairs[pair], settings.percents, settings.measures))
    data = viewer_data(runs, experiments(with_value(read_merged(args.measured))), settings, args.tier)
    write_text(args.viewer_out, page(data, "DELIFT viewer"))
    logger.info("%s: %d runs", args.viewer_out, len(runs))


if __name__ == "__main__":
    run_step(main)
