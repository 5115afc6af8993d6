"""Write one of the tables of DiLM or DDG; published values stand beside ours.

Tables 1 to 4, 7 and 8 follow DiLM; table_main, table_long and table_ablation stand for DDG's, whose numbers are not
known; table_paired goes beyond the papers.
"""

from __future__ import annotations

import functools
import itertools
from typing import Callable, Sequence

from scripts.common.artifacts import Table, table_step
from scripts.common.errors import run_step
from scripts.common.measured import Measured
from scripts.common.tables import Cell, Column
from scripts.ddg.comparison import LABELS, METRIC_NAMES, SCORER_NAMES, Comparison, Place
from scripts.ddg.measurements import AVERAGE, DIFFERENCE, SCORE
from scripts.ddg.run_columns import FULL
from scripts.selection.methods import method_label


def label(method: str) -> str:
    """Return the printed name of a method."""
    return LABELS.get(method) or method_label(method)


def seed_note(settings: Comparison, *, context: bool = False) -> str:
    """Say what the spread is over. context: of evaluation B."""
    draws = settings.context["draws"] if context else settings.draws
    sets = f"{draws} sets" if draws > 1 else "set"
    if len(settings.seeds) > 1:
        return f"One value a seed, {'the mean over' if draws > 1 else 'of'} its {sets}; spread over the seeds."
    return f"One seed: spread over its {sets}{'' if context else ' and the learners of each'}."


def metric_note(settings: Comparison, tasks: Sequence[str]) -> str:
    """Say what is counted in each task."""
    names = ", ".join(f"{settings.titles[task]}: {METRIC_NAMES[settings.metrics[task]]}" for task in tasks)
    return f"Scores in % ({names})."


def query_note(settings: Comparison) -> str:
    """Say how many queries an accuracy is over."""
    n = settings.context["n_queries"]
    asked = "all test texts" if n == "full" else f"at most {n} test texts, taken in turn from every class"
    return f"Accuracy in %, over {asked}; the interval of each single accuracy (Wilson, 95 %) stands in the runs' CSV."


def cross(
    values: Measured, rows: Sequence[tuple[str, str]], places: Sequence[Place], first: str
) -> tuple[list[dict[str, Cell]], list[Column]]:
    """Return a table of (model, method) rows by places, published columns where there are any (`printed_model`)."""
    made: list[Column] = [Column("model", first), Column("method", "Method")]
    made += [Column(place.key, place.title, "spread", decimals=1) for place in places]
    methods = dict.fromkeys(method for _, method in rows)
    shown = [place for place in places if any(values.prints(place.setting(method), SCORE) for method in methods)]
    made += [Column(f"{place.key}_published", place.title, "published", decimals=1) for place in shown]
    found: list[dict[str, Cell]] = []
    for model, method in rows:
        row: dict[str, Cell] = {"model": model, "method": label(method)}
        row.update({place.key: place.cell(values, method, SCORE, model) for place in places})
        theirs = printed_model(values, model)
        row.update({f"{place.key}_published": place.published(values, method, SCORE, theirs) for place in shown})
        found.append(row)
    return found, made


def printed_model(values: Measured, model: str) -> str:
    """Return the model whose published values stand beside ours: the same, or the only one that the paper prints."""
    printed = list(dict.fromkeys(row["model"] for row in values.published))
    return printed[0] if len(printed) == 1 else model


def source(values: Measured, columns: Sequence[Column], notes: Sequence[str], models: Sequence[str] = ()) -> list[str]:
    """Return the notes with the source of the published values and, if these are not of `models`, with their model."""
    shown = any(column.kind == "published" for column in columns)
    others = {model: printed_model(values, model) for model in models if shown}
    differ = [
        f"Published values are of {theirs}, ours of {model}: compare the differences between rows, not the values."
        for model, theirs in others.items()
        if theirs != model
    ]
    return [*notes, *([f"Published: {values.published[0]['source']}."] if shown else []), *differ]


def learner_table(values: Measured, settings: Comparison) -> Table:
    """Return Table 1: methods by tasks and sizes; the row of all texts repeats its value in every size."""
    show, learner = settings.show, settings.learner
    sizes = {f"{task}/dpc_{dpc}": (task, dpc) for task in show["tasks"] for dpc in show["dpcs"]}
    places = [
        settings.learners_place(key, f"{settings.titles[task]}, {dpc} a class", task, dpc)
        for key, (task, dpc) in sizes.items()
    ]
    rows, made = cross(values, [(learner, name) for name in show["methods"]], places, "Learner")
    shown = {column.key for column in made}
    full: dict[str, Cell] = {"model": learner, "method": label(FULL)}
    for key, (task, _) in sizes.items():
        whole = settings.learners_place(key, "", task, FULL)
        full[key] = whole.cell(values, FULL, SCORE, learner)
        if f"{key}_published" in shown:
            full[f"{key}_published"] = whole.published(values, FULL, SCORE, printed_model(values, learner))
    notes = [metric_note(settings, show["tasks"]), seed_note(settings)]
    notes.append("The row of all texts does not depend on the size: it is repeated.")
    title = f"DiLM, Table 1: learners trained on sets, {learner}"
    return Table([*rows, full], made, title, source(values, made, notes, [learner]))


def by_task(settings: Comparison) -> list[Place]:
    """Return a column for each task: learners trained on sets of the table's one size."""
    show, titles = settings.show, settings.titles
    return [settings.learners_place(f"{t}/dpc_{show['dpc']}", titles[t], t, show["dpc"]) for t in show["tasks"]]


def other_learners(values: Measured, settings: Comparison, *, number: int) -> Table:
    """Return Tables 2, 7 and 8: the same sets, read by other learners than the one they were made with."""
    show = settings.show
    pairs = [(name, method) for name in show["learners"] for method in show["methods"]]
    rows, made = cross(values, pairs, by_task(settings), "Learner")
    notes = [metric_note(settings, show["tasks"]), seed_note(settings)]
    notes.append(f"The sets were made with {settings.learner}.")
    title = f"DiLM, Table {number}: other learners, {show['dpc']} texts a class"
    return Table(rows, made, title, source(values, made, notes))


def table_3(values: Measured, settings: Comparison) -> Table:
    """Return Table 3: in context, DiLM's own scorer."""
    show = settings.show
    key, title = f"{show['task']}/round_{show['round']}", settings.titles[show["task"]]
    places = [settings.context_place(key, title, show["task"], settings.scorers[0])]
    pairs = [(model, method) for model in show["models"] for method in show["methods"]]
    rows, made = cross(values, pairs, places, "Language model")
    notes = [query_note(settings), "The likeliest first token of a label counts; demonstrations in a random order."]
    title = f"DiLM, Table 3: {show['round']} texts a class as demonstrations"
    return Table(rows, made, title, source(values, made, [*notes, seed_note(settings, context=True)]))


def table_4(values: Measured, settings: Comparison) -> Table:
    """Return Table 4: the ablation of DiLM."""
    show = settings.show
    pairs = [(settings.learner, method) for method in show["methods"]]
    rows, made = cross(values, pairs, by_task(settings), "Learner")
    notes = [metric_note(settings, show["tasks"]), seed_note(settings)]
    title = f"DiLM, Table 4: ablation, {show['dpc']} texts a class"
    return Table(rows, made, title, source(values, made, notes))


def table_main(values: Measured, settings: Comparison) -> Table:
    """Return DDG's main table: methods by tasks, every language model and scorer."""
    show = settings.show
    names = [*show["tasks"], *([AVERAGE] if len(show["tasks"]) > 1 else [])]
    titles = {**settings.titles, AVERAGE: "mean of the tasks"}
    places = [
        settings.context_place(f"{task}/{scorer}", f"{titles[task]}, {SCORER_NAMES[scorer]}", task, scorer)
        for scorer in settings.scorers
        for task in names
    ]
    pairs = [(model, method) for model in settings.models for method in show["methods"]]
    rows, made = cross(values, pairs, places, "Language model")
    notes = [query_note(settings), seed_note(settings, context=True), "DDG's own numbers are not public text."]
    return Table(rows, made, f"DDG, main table: {show['round']} texts a class as demonstrations", notes)


def table_long(values: Measured, settings: Comparison) -> Table:
    """Return DDG's table on many classes: accuracy by rounds."""
    made = [Column("model", "Language model"), Column("task", "Task"), Column("scorer", "Answer")]
    made.append(Column("method", "Method"))
    rounds = settings.context["rounds"]
    made += [Column(f"round_{number}", f"round {number}", "spread", decimals=1) for number in rounds]
    rows: list[dict[str, Cell]] = []
    for model, task, scorer, method in itertools.product(
        settings.models, settings.show["tasks"], settings.scorers, settings.show["methods"]
    ):
        row: dict[str, Cell] = {"model": model, "task": settings.titles[task], "method": label(method)}
        row["scorer"] = SCORER_NAMES[scorer]
        for number in rounds:
            place = settings.context_place(f"round_{number}", "", task, scorer, number)
            row[place.key] = place.cell(values, method, SCORE, model)
        rows.append(row)
    notes = [query_note(settings), seed_note(settings, context=True), "Round r shows r texts of every class."]
    return Table(rows, made, "DDG, many classes: accuracy by rounds", notes)


def table_ablation(values: Measured, settings: Comparison) -> Table:
    """Return DDG's ablation in both evaluations."""
    show, model = settings.show, settings.models[0]
    number = settings.context["round"]
    made = [Column("task", "Task"), Column("method", "Method")]
    made.append(Column("learner", f"learner, {show['dpc']} texts a class", "spread", decimals=1))
    made.append(Column("context", f"in context, {model}, round {number}", "spread", decimals=1))
    rows: list[dict[str, Cell]] = []
    for task in show["tasks"]:
        learner = settings.learners_place("learner", "", task, show["dpc"])
        context = settings.context_place("context", "", task, settings.scorers[-1])
        for method in show["methods"]:
            row: dict[str, Cell] = {"task": settings.titles[task], "method": label(method)}
            row["learner"] = learner.cell(values, method, SCORE, settings.learner)
            row["context"] = context.cell(values, method, SCORE, model)
            rows.append(row)
    notes = [metric_note(settings, show["tasks"]), seed_note(settings)]
    notes.append("With and without teacher are compared, nothing is expected: no published number tells them apart.")
    return Table(rows, made, "DDG, ablation", notes)


def table_paired(values: Measured, settings: Comparison) -> Table:
    """Return differences between methods, seed by seed."""
    made = [Column("difference", "First minus second"), Column("where", "Evaluation")]
    made += [
        Column("value", "difference", "spread", unit="points", decimals=1),
        Column("low", "95 % interval from", "number", decimals=1),
        Column("high", "to", "number", decimals=1),
    ]
    show, titles = settings.show, settings.titles
    places = [
        (settings.learner, settings.learners_place("", f"learner, {titles[task]}, {dpc} a class", task, dpc))
        for task in show["tasks"]
        for dpc in show["dpcs"]
    ]
    for task, model, scorer in itertools.product(show["tasks"], settings.models, settings.scorers):
        title = f"{model} in context, {titles[task]}, {SCORER_NAMES[scorer]}"
        places.append((model, settings.context_place("", title, task, scorer)))
    rows: list[dict[str, Cell]] = []
    for first, second in show["pairs"]:
        for model, place in places:
            value = place.cell(values, f"{first}-{second}", DIFFERENCE, model)
            name = f"{method_label(first)} − {method_label(second)}"
            row: dict[str, Cell] = {"difference": name, "where": place.title, "value": value}
            row["low"] = getattr(value, "low", value)
            row["high"] = getattr(value, "high", value)
            rows.append(row)
    notes = ["Differences are taken seed by seed, then averaged; the interval is Student's over these differences."]
    return Table(rows, made, "DDG and DiLM: paired differences between methods", notes)


TABLES: dict[str, Callable[[Measured, Comparison], Table]] = {
    "table_1": learner_table,
    "table_2": functools.partial(other_learners, number=2),
    "table_7": functools.partial(other_learners, number=7),
    "table_8": functools.partial(other_learners, number=8),
    "table_3": table_3,
    "table_4": table_4,
    "table_main": table_main,
    "table_long": table_long,
    "table_ablation": table_ablation,
    "table_paired": table_paired,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    table_step(argv, __doc__, TABLES, Comparison)


if __name__ == "__main__":
    run_step(main)
