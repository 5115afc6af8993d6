"""Every figure of every paper with its first, its last, and all but one of its methods missing.

What is drawn is named (in the legend, at an axis or beside its point), a panel in which nothing is drawn says why, the
numbers beside the figure name what is missing, and no text is cut off or covers another, no interval leaves its panel.
Left out: `scripts.mini_world`'s figures, where a missing value is an error, NUGGETS' score curve and cases, and the
contact sheet, which compare no methods.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any, Callable, Sequence

import pytest

from scripts.common import figures
from scripts.common.files import read_csv, write_csv, write_jsonl
from scripts.common.metrics import PUBLISHED_COLUMNS, metric_row, read_merged, read_metrics, write_metrics
from scripts.ddg import plot_sensitivity, plot_training
from scripts.delift import plot_judge_scores, plot_stages, plot_subset_size
from scripts.head_to_head import plot_costs, plot_times
from scripts.head_to_head.columns import TIME_COLUMNS
from scripts.mend import cost_figure, plot_attention, plot_efficiency, plot_lambda, plot_ratio, plot_timing
from scripts.nuggets import plot_anchor_sizes, plot_pairwise, plot_released, plot_selection_quality
from scripts.report import plot_overview
from scripts.step_by_step import figures as step_by_step
from scripts.step_by_step import plot_minimum, plot_shares, plot_sizes
from scripts.step_by_step.plan import ACCURACY, LAST, SMALLEST, Plan, share_setting
from tests.figure_layout import faults
from tests.steps.test_nuggets_figures import STEPS as NUGGETS
from tests.steps.test_nuggets_figures import folder as nuggets  # noqa: F401
from tests.unit import ddg_results, delift_small, head_to_head_small, mend_results
from tests.unit.nuggets_eval import flags
from tests.unit.nuggets_eval import plan as nuggets_plan

OUTCOMES, SCORES = list(plot_pairwise.OUTCOMES), list(plot_selection_quality.SCORES)
SUBSETS = ["base", "full", "gt_0.9"]


@dataclasses.dataclass(frozen=True)
class Case:
    """A figure: its step, its inputs (flag -> file), other flags, its methods.

    legend: all that its legend must hold, where that is known; noted: whether its CSV says what is missing.
    """

    step: Callable[[Sequence[str]], None]
    inputs: dict[str, Path]
    further: Sequence[str]
    methods: Sequence[str]
    legend: frozenset[str] = frozenset()
    noted: bool = True


def header_only(folder: Path, columns: Sequence[str] = PUBLISHED_COLUMNS, name: str = "published.csv") -> Path:
    write_csv(folder / name, [], columns)
    return folder / name


def nuggets_case(folder: Path, name: str, methods: Sequence[str], legend: Sequence[str] = ()) -> Case:
    """Return the case of a NUGGETS figure; the fixture `nuggets` of its own tests has written the folder."""
    module, files = NUGGETS[name]
    artifact = f"figure_{name}"
    inputs = {file: folder / f"{file}.csv" for file in ("measured", *files, "published")}
    given = {"artifact": artifact, "settings": nuggets_plan(table_baselines={"methods": SUBSETS}).settings(artifact)}
    return Case(module.main, inputs, flags(given), methods, frozenset(legend))


def delift_case(folder: Path, step: Any, artifact: str) -> Case:
    measured = read_merged(delift_small.make_run(folder)["measured"])
    write_metrics(folder / "measured.csv", measured)
    legend = frozenset(f"grade {n}" for n in range(1, 6)) if artifact == "figure_laj" else frozenset()
    settings = delift_small.plan().settings(artifact)
    inputs = {name: folder / f"{name}.csv" for name in ("measured", "published")}
    methods = delift_small.settings()[artifact]["methods"]
    return Case(step.main, inputs, flags({"artifact": artifact, "settings": settings}), methods, legend)


def ddg_case(folder: Path) -> Case:
    plan, artifact = ddg_results.written(folder), "figure_sensitivity"
    inputs = {"measured": ddg_results.merged(folder, plan, artifact), "published": folder / "published.csv"}
    given = flags({"artifact": artifact, "settings": plan.settings(artifact)})
    return Case(plot_sensitivity.main, inputs, given, plan.ddg[artifact]["methods"])


def head_to_head_case(folder: Path, name: str) -> Case:
    helper = head_to_head_small
    measured = read_merged([*helper.make_run(folder), *helper.make_demonstrations(folder)])
    write_metrics(folder / "measured.csv", measured)
    inputs = {"measured": folder / "measured.csv", "published": header_only(folder)}
    further = ["--settings", json.dumps(helper.both_halves())]
    shown = ["zero_shot", "random", "ddg", "bm25", "mend_random", "mend_ddg"]
    if name == "times":
        seconds = [(method, "choosing", 1.0) for method in helper.METHODS]
        rows = [dict(zip(TIME_COLUMNS, row)) for row in seconds]
        write_csv(folder / "times.csv", rows, TIME_COLUMNS)
        rows = [dict(zip(TIME_COLUMNS, (method, "answering", 2.0))) for method in shown]
        write_csv(folder / "answering.csv", rows, TIME_COLUMNS)
        times = {"choosing-times": folder / "times.csv", "answering-times": folder / "answering.csv"}
        return Case(plot_times.main, {**inputs, **times}, ["--artifact", "figure_time", *further], helper.METHODS)
    methods = helper.METHODS if name == "figure_selection" else shown
    return Case(plot_costs.main, inputs, ["--artifact", name, *further], methods)


def mend_case(folder: Path, step: Any, artifact: str, methods: Sequence[str], *, noted: bool = False) -> Case:
    mend_results.written(folder)
    write_metrics(folder / "measured.csv", read_merged(mend_results.files_of(folder, artifact)))
    inputs = {"measured": folder / "measured.csv", "published": header_only(folder)}
    given = {"artifact": artifact, "settings": mend_results.plan().settings(artifact)}
    return Case(step.main, inputs, flags(given), methods, noted=noted)


SHARES = {"shares": [0.5, 1.0]}
STEP_BY_STEP = Plan(
    datasets=["one", "two"],
    teacher="palm",
    other_teacher="neox",
    student_models=["small", "large"],
    runs=[0, 1],
    figure_4=SHARES,
    figure_5=SHARES,
    figure_7={"augmented_model": "small"},
    figure_8={"models": ["small", "large"], **SHARES},
    figure_9={"models": ["small", "large"], **SHARES},
)


def step_by_step_case(folder: Path, step: Any, artifact: str) -> Case:
    plan, labels = STEP_BY_STEP, step_by_step.labels_of(artifact)
    methods = [step_by_step.baseline_of(artifact), "distilling_step_by_step"]
    methods += ["pinto"] if artifact == "figure_6" else []
    rows = []

    def add(experiment: str, setting: str, model: str, method: str, seed: int, metric: str, number: float) -> None:
        rows.append(metric_row("step_by_step", experiment, setting, model, method, seed, metric, number, 9))

    for model in plan.student_models:
        add("models", "model", model, "size", 0, plot_sizes.N_PARAMETERS, 10.0 ** len(model))
    for dataset in plan.datasets:
        for model in plan.student_models:
            for method in methods:
                settings = (dataset, share_setting(dataset, 0.5), f"{dataset}_augmented")
                for setting, seed in itertools.product(settings, plan.runs):
                    add(labels, setting, model, method, seed, LAST, 50.0 + seed)
                if step_by_step.fewest_rows_of(artifact):
                    add(step_by_step.fewest_rows_of(artifact), dataset, model, method, 0, SMALLEST, 50.0)
        add("teachers", f"{dataset}_test", plan.teacher, "few_shot_cot", 0, ACCURACY, 40.0)
    write_metrics(folder / "measured.csv", rows)
    inputs = {"measured": folder / "measured.csv", "published": header_only(folder)}
    return Case(step.main, inputs, flags({"artifact": artifact, "settings": plan.settings(artifact)}), methods)


def overview_case(folder: Path) -> Case:
    methods = ["base", "random", "top"]
    values = [{"method": method, "setting": "all"} for method in methods]
    claim = {
        "experiment": "t",
        "model": "m",
        "metric": "x",
        "about": "a",
        "axis": "x (%)",
        "decimals": 1,
        "values": values,
    }
    rows = [metric_row("nuggets", "t", "all", "m", method, seed, "x", seed, 9) for method in methods for seed in (1, 2)]
    write_metrics(folder / "metrics.csv", rows)
    further = ["--claims", json.dumps({"nuggets": {**claim, "values": values}}), "--papers", "nuggets"]
    return Case(plot_overview.main, {"metrics": folder / "metrics.csv"}, further, methods)


def released_case(folder: Path) -> Case:
    """Return the figure of our scores beside released ones: four rows, of which two have a released score."""
    name, about = "released/kmeans_4", ("nuggets", "released/kmeans_4")
    rows = [
        metric_row(*about, setting, "tiny", score, 0, metric, value, 4)
        for setting in ("label", "equal_length")
        for score in SCORES
        if (setting, score) != ("equal_length", "length")
        for metric, value in (("auc", 0.7), ("auc_low", 0.6), ("auc_high", 0.8))
    ]
    rows += [
        metric_row(*about, f"n_anchors_{size}", "tiny", "golden_score", draw, "auc", 0.5 + size / 20, 4)
        for size in (2, 4)
        for draw in range(2)
    ]
    assert {row["experiment"] for row in rows} == {name}
    write_metrics(folder / "released.csv", rows)
    write_csv(folder / "nothing_published.csv", [], PUBLISHED_COLUMNS)
    scored = [{"id": f"p{i}", "golden_score": i / 4, "mean_gain_nats": 0} for i in range(4)]
    write_csv(folder / "scored.csv", scored, ("id", "golden_score", "mean_gain_nats"))
    truth = [{"id": f"p{i}", "good": i > 1, "family": "unknown", "fault": ""} for i in range(4)]
    write_jsonl(folder / "listed.jsonl", truth)
    write_jsonl(folder / "given.jsonl", [{"id": "p0", "score": 0.1}, {"id": "p1", "score": 0.4}])
    files = {"scores": folder / "scored.csv", "truth": folder / "listed.jsonl", "released": folder / "given.jsonl"}
    given = flags({"artifact": "figure_released", "settings": nuggets_plan().settings("figure_released"), **files})
    inputs = {"measured": folder / "released.csv", "published": folder / "nothing_published.csv"}
    return Case(plot_released.main, inputs, given, SCORES, noted=False)


CASES: dict[str, Callable[[Path], Case]] = {
    "nuggets/released": released_case,
    "nuggets/pairwise": lambda folder: nuggets_case(folder, "pairwise", ["base", "gt_0.5"], OUTCOMES),
    "nuggets/selection_quality": lambda folder: nuggets_case(folder, "selection_quality", ["base", "full"]),
    "nuggets/selection_quality_scores": lambda folder: nuggets_case(folder, "selection_quality", SCORES),
    "delift/subset_size": lambda folder: delift_case(folder, plot_subset_size, "figure_subset_size"),
    "delift/laj": lambda folder: delift_case(folder, plot_judge_scores, "figure_laj"),
    "delift/stages": lambda folder: delift_case(folder, plot_stages, "figure_stages"),
    "ddg/sensitivity": ddg_case,
    "head_to_head/selection": lambda folder: head_to_head_case(folder, "figure_selection"),
    "head_to_head/demonstrations": lambda folder: head_to_head_case(folder, "figure_demonstrations"),
    "head_to_head/times": lambda folder: head_to_head_case(folder, "times"),
    "mend/efficiency": lambda folder: mend_case(folder, plot_efficiency, "figure_3", list(cost_figure.STYLES)),
    "mend/timing": lambda folder: mend_case(folder, plot_timing, "figure_timing", list(cost_figure.STYLES)),
    "mend/ratio": lambda folder: mend_case(
        folder, plot_ratio, "figure_4", mend_results.MEND["figure_4"]["methods"], noted=True
    ),
    "mend/attention": lambda folder: mend_case(folder, plot_attention, "figure_5", ["llm_icl", "llm_mend"]),
    "mend/lambda": lambda folder: mend_case(
        folder, plot_lambda, "figure_lambda", list(mend_results.MEND["figure_lambda"]["distillers"]),
        noted=True,
    ),
    "report/overview": overview_case,
    **{
        f"step_by_step/{name}": lambda folder, step=step, name=name: step_by_step_case(folder, step, name)
        for step, names in (
            (plot_shares, ("figure_4", "figure_5")),
            (plot_sizes, ("figure_6", "figure_7")),
            (plot_minimum, ("figure_8", "figure_9")),
        )
        for name in names
    },
}  # fmt: skip
MISSING: dict[str, Callable[[Sequence[str]], Sequence[str]]] = {
    "nothing": lambda methods: [],
    "the_first": lambda methods: methods[:1],
    "the_last": lambda methods: methods[-1:],
    "all_but_the_first": lambda methods: methods[1:],
    "all_but_the_last": lambda methods: methods[:-1],
    "all": lambda methods: methods,
}


def texts_of(figure: Any) -> set[str]:
    """Return every text that stands in a figure."""
    from matplotlib.text import Text

    return {text.get_text() for text in figure.findobj(Text) if text.get_text()}


def is_empty(axes: Any) -> bool:
    """Return whether a panel shows no data."""
    from matplotlib.patches import Rectangle

    bars = [
        patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_width() and patch.get_height()
    ]
    return not (axes.lines or bars or axes.collections or axes.images)


def check(figure: Any, case: Case) -> None:
    """Check that everything drawn is named and that a panel without data says why."""
    figure.draw_without_rendering()
    shown = {text.replace("\n", " ") for text in texts_of(figure)}
    labels = {label for axes in figure.axes for label in axes.get_legend_handles_labels()[1] if label[0] != "_"}
    if len(labels) > 1 or figure.legends:  # a figure of one series alone needs no legend
        assert {label for label in labels if not any(label in text for text in shown)} == set()
    for axes in figure.axes:
        if is_empty(axes):
            own = [text.get_text() for text in axes.texts if len(text.get_text()) > 3]
            assert own, "an empty panel says nothing"
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    drawn = any(not is_empty(axes) for axes in figure.axes)
    if case.legend and drawn:
        assert set(legends) == case.legend
        assert len(legends) == len(case.legend)


def drawn_figure(case: Case, folder: Path, dropped: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the step on inputs without the dropped methods; return the figure and the rows of its numbers."""
    kept = {}
    for flag, path in case.inputs.items():
        rows = read_csv(path)
        kept[flag] = folder / f"kept_{flag}.csv"
        with_methods = flag in ("measured", "metrics", "roc", "choosing-times", "answering-times")
        columns = path.read_text(encoding="utf-8").splitlines()[0].split(",")
        write_csv(kept[flag], [r for r in rows if not (with_methods and r["method"] in dropped)], columns)
    found: list[tuple[Any, list[dict[str, Any]]]] = []
    # Neither PDF nor PNG is needed here; that they are written is tested with each figure.
    monkeypatch.setattr(figures, "save_figure", lambda figure, rows, **paths: found.append((figure, list(rows))))
    inputs = [part for flag, path in kept.items() for part in (f"--{flag}", str(path))]
    outputs = [part for kind in ("pdf", "png", "csv") for part in (f"--{kind}-out", str(folder / f"figure.{kind}"))]
    case.step([*inputs, *case.further, "--tier", "paper", *outputs])
    return found[0]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("name", CASES)
def test_a_figure_names_what_it_shows_and_says_what_it_does_not(name, missing, request, tmp_path, monkeypatch):
    folder = request.getfixturevalue("nuggets") if name.startswith("nuggets/") else tmp_path
    case = CASES[name](folder)
    dropped = MISSING[missing](list(case.methods))
    figure, rows = drawn_figure(case, folder, dropped, monkeypatch)
    check(figure, case)
    assert faults(figure) == []
    assert rows
    if case.noted and missing not in ("nothing", "all"):
        columns = [key for key in ("method", "series", "distiller") if key in rows[0]]
        said = {row[key] for row in rows for key in columns if row.get("note")}
        assert set(dropped) - said == set()


def test_the_training_of_one_variant_alone(tmp_path, monkeypatch):
    """Its methods are the files that it is given: each of the two missing, and a variant without gradient matching."""
    ddg_results.written(tmp_path)
    for variants in (["dilm", "ddg"], ["dilm"], ["ddg"]):
        histories = [str(tmp_path / f"{name}.json") for name in variants]
        plan = ddg_results.plan(figure_training={"task": "sst2", "variants": variants})
        given = flags({"artifact": "figure_training", "settings": plan.settings("figure_training")})
        inputs = {"published": tmp_path / "published.csv"}
        case = Case(plot_training.main, inputs, ["--histories", *histories, *given], variants, noted=False)
        figure, rows = drawn_figure(case, tmp_path, [], monkeypatch)
        check(figure, case)
        assert {row["variant"] for row in rows} == set(variants)


@pytest.mark.parametrize("metric", [None, "auc"])
def test_anchor_sizes_without_truth_or_without_scores(metric, nuggets, monkeypatch):  # noqa: F811
    case = nuggets_case(nuggets, "anchor_sizes", [])
    kept = [
        r for r in read_metrics(case.inputs["measured"]) if metric or not r["experiment"].startswith("anchor_sizes")
    ]
    write_metrics(case.inputs["measured"], [row for row in kept if row["metric"] != metric])
    figure, rows = drawn_figure(case, nuggets, [], monkeypatch)
    check(figure, case)
    assert [row["metric"] for row in rows if row["note"]] == (
        [metric] if metric else [m for m, _ in plot_anchor_sizes.PANELS]
    )


def test_every_figure_that_compares_methods_is_here():
    steps = {f"{path.parent.name}.{path.stem}" for path in Path("scripts").glob("*/plot_*.py")}
    without_methods = {
        "nuggets.plot_scores", "nuggets.plot_cases", "mini_world.plot_authors", "mini_world.plot_in_context",
        "report.plot_contact_sheet", "report.plot_claims",
    }  # fmt: skip
    here = {
        f"{module.__name__.split('.')[1]}.{module.__name__.split('.')[2]}"
        for module in globals().values()
        if getattr(module, "__name__", "").startswith("scripts.") and ".plot_" in module.__name__
    }
    assert steps - without_methods == here
