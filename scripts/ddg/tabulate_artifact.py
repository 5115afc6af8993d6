"""Write one of the tables of DiLM or DDG from the collected metrics; published values stand beside ours.

Tables 1 to 4, 7 and 8 follow DiLM; table_main, table_long and table_ablation stand for DDG's, whose numbers are not
known; table_paired goes beyond the papers.
"""

from __future__ import annotations

from typing import Callable, Sequence

from scripts.common.artifacts import Artifact, Table, tabulate
from scripts.common.errors import run_step
from scripts.common.tables import Cell, Column
from scripts.ddg.comparison import DIFFERENCE, LABELS, METRIC_NAMES, SCORE, SCORER_NAMES, Comparison
from scripts.selection.methods import method_label


def label(method: str) -> str:
    """Return the printed name of a method."""
    return LABELS.get(method) or method_label(method)


def seed_note(settings: Comparison, *, context: bool = False) -> str:
    """Say what the spread is over. context: of evaluation B."""
    draws = settings.in_context["draws"] if context else settings.draws
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
    n = settings.in_context["n_queries"]
    asked = "all test texts" if n == "full" else f"at most {n} test texts, taken in turn from every class"
    return f"Accuracy in %, over {asked}; the interval of each single accuracy (Wilson, 95 %) stands in the runs' CSV."


def cross(
    artifact: Artifact, rows: Sequence[tuple[str, str]], columns: Sequence[tuple[str, str]], first: str
) -> tuple[list[dict[str, Cell]], list[Column]]:
    """Return a table of (model, method) rows by (setting, title) columns, published columns where there are any."""
    made: list[Column] = [Column("model", first), Column("method", "Method")]
    made += [Column(setting, title, "spread", decimals=1) for setting, title in columns]
    known = {row["setting"] for row in artifact.published if row["metric"] == SCORE}
    shown = [(setting, title) for setting, title in columns if setting in known]
    made += [Column(f"{setting}_published", title, "published", decimals=1) for setting, title in shown]
    found: list[dict[str, Cell]] = []
    for model, method in rows:
        row: dict[str, Cell] = {"model": model, "method": label(method)}
        row.update({setting: artifact.cell(setting, method, SCORE, model=model) for setting, _ in columns})
        for setting, _ in shown:
            row[f"{setting}_published"] = artifact.published_value(setting, method, SCORE, model=model)
        found.append(row)
    return found, made


def learner_table(artifact: Artifact, settings: Comparison) -> Table:
    """Return Table 1: methods by tasks and sizes."""
    table = settings.table_1
    columns = [
        (f"{task}/dpc_{dpc}", f"{settings.titles[task]}, {dpc} a class")
        for task in table["tasks"]
        for dpc in table["dpcs"]
    ]
    columns += [(f"{task}/full", f"{settings.titles[task]}, all texts") for task in table["tasks"]]
    rows, made = cross(artifact, [(settings.learner, name) for name in table["methods"]], columns, "Learner")
    names = [column.key for column in made if column.kind == "spread" and not column.key.endswith("/full")]
    full: dict[str, Cell] = {column.key: "" for column in made if column.kind == "text"}
    full.update(model=settings.learner, method=label("full"))
    rows = [
        {key: value for key, value in row.items() if not key.split("_published")[0].endswith("/full")} for row in rows
    ]
    kept = [column for column in made if not column.key.split("_published")[0].endswith("/full")]
    for task in table["tasks"]:
        for name in names:
            if name.startswith(f"{task}/"):
                full[name] = artifact.cell(f"{task}/full", "full", SCORE, model=settings.learner)
                if any(column.key == f"{name}_published" for column in kept):
                    value = artifact.published_value(f"{task}/full", "full", SCORE, model=settings.learner)
                    full[f"{name}_published"] = value
    notes = [metric_note(settings, table["tasks"]), seed_note(settings)]
    notes.append("The row of all texts does not depend on the size: it is repeated.")
    return Table(
        [*rows, full],
        kept,
        f"DiLM, Table 1: learners trained on sets, {settings.learner}",
        source(artifact, kept, notes),
    )


def source(artifact: Artifact, columns: Sequence[Column], notes: Sequence[str]) -> list[str]:
    """Return the notes with the source of the published values, if the table shows some."""
    shown = any(column.kind == "published" for column in columns)
    return [*notes, *([f"Published: {artifact.published[0]['source']}."] if shown else [])]


def other_learners(artifact: Artifact, settings: Comparison) -> Table:
    """Return Tables 2, 7 and 8: the same sets, read by other learners than the one they were made with."""
    dpc = getattr(settings, artifact.name)["dpc"]
    columns = [(f"{task}/dpc_{dpc}", settings.titles[task]) for task in settings.table_1["tasks"]]
    pairs = [(name, method) for name in settings.table_2["learners"] for method in settings.table_2["methods"]]
    rows, made = cross(artifact, pairs, columns, "Learner")
    notes = [metric_note(settings, settings.table_1["tasks"]), seed_note(settings)]
    notes.append(f"The sets were made with {settings.learner}.")
    number = artifact.name.rpartition("_")[2]
    return Table(
        rows, made, f"DiLM, Table {number}: other learners, {dpc} texts a class", source(artifact, made, notes)
    )


def table_3(artifact: Artifact, settings: Comparison) -> Table:
    """Return Table 3: in context, DiLM's own scorer."""
    table = settings.table_3
    columns = [(f"{table['task']}/round_{table['round']}", settings.titles[table["task"]])]
    pairs = [(model, method) for model in table["models"] for method in table["methods"]]
    rows, made = cross(artifact, pairs, columns, "Language model")
    notes = [query_note(settings), "The likeliest first token of a label counts; demonstrations in a random order."]
    title = f"DiLM, Table 3: {table['round']} texts a class as demonstrations"
    return Table(rows, made, title, source(artifact, made, [*notes, seed_note(settings, context=True)]))


def table_4(artifact: Artifact, settings: Comparison) -> Table:
    """Return Table 4: the ablation of DiLM."""
    dpc = settings.table_4["dpc"]
    columns = [(f"{task}/dpc_{dpc}", settings.titles[task]) for task in settings.table_1["tasks"]]
    pairs = [(settings.learner, method) for method in settings.table_4["methods"]]
    rows, made = cross(artifact, pairs, columns, "Learner")
    notes = [metric_note(settings, settings.table_1["tasks"]), seed_note(settings)]
    return Table(rows, made, f"DiLM, Table 4: ablation, {dpc} texts a class", source(artifact, made, notes))


def table_main(artifact: Artifact, settings: Comparison) -> Table:
    """Return DDG's main table: methods by tasks, every language model and scorer."""
    table = settings.table_main
    names = [*table["tasks"], *(["average"] if len(table["tasks"]) > 1 else [])]
    titles = {**settings.titles, "average": "mean of the tasks"}
    columns = [
        (f"{task}/{scorer}", f"{titles[task]}, {SCORER_NAMES[scorer]}")
        for scorer in settings.scorers(table)
        for task in names
    ]
    pairs = [(model, method) for model in settings.models for method in table["methods"]]
    rows, made = cross(artifact, pairs, columns, "Language model")
    notes = [query_note(settings), seed_note(settings, context=True), "DDG's own numbers are not public text."]
    return Table(rows, made, f"DDG, main table: {table['round']} texts a class as demonstrations", notes)


def table_long(artifact: Artifact, settings: Comparison) -> Table:
    """Return DDG's table on many classes: accuracy by rounds."""
    table = settings.table_long
    made = [Column("model", "Language model"), Column("task", "Task"), Column("scorer", "Answer")]
    made.append(Column("method", "Method"))
    rounds = settings.in_context["rounds"]
    made += [Column(f"round_{number}", f"round {number}", "spread", decimals=1) for number in rounds]
    rows: list[dict[str, Cell]] = []
    for model in settings.models:
        for task in table["tasks"]:
            for scorer in settings.scorers(settings.table_main):
                for method in table["methods"]:
                    row: dict[str, Cell] = {"model": model, "task": settings.titles[task], "method": label(method)}
                    row["scorer"] = SCORER_NAMES[scorer]
                    for number in rounds:
                        setting = f"{task}/round_{number}/{scorer}"
                        row[f"round_{number}"] = artifact.cell(setting, method, SCORE, model=model)
                    rows.append(row)
    notes = [query_note(settings), seed_note(settings, context=True), "Round r shows r texts of every class."]
    return Table(rows, made, "DDG, many classes: accuracy by rounds", notes)


def table_ablation(artifact: Artifact, settings: Comparison) -> Table:
    """Return DDG's ablation in both evaluations."""
    table, main = settings.table_ablation, settings.table_main
    scorer, model = settings.scorers(main)[-1], settings.models[0]
    made = [Column("task", "Task"), Column("method", "Method")]
    made.append(Column("learner", f"learner, {table['dpc']} texts a class", "spread", decimals=1))
    made.append(Column("context", f"in context, {model}, round {main['round']}", "spread", decimals=1))
    rows: list[dict[str, Cell]] = []
    for task in table["tasks"]:
        for method in table["methods"]:
            row: dict[str, Cell] = {"task": settings.titles[task], "method": label(method)}
            row["learner"] = artifact.cell(f"{task}/learner", method, SCORE, model=settings.learner)
            row["context"] = artifact.cell(f"{task}/{scorer}", method, SCORE, model=model)
            rows.append(row)
    notes = [metric_note(settings, table["tasks"]), seed_note(settings)]
    notes.append("With and without teacher are compared, nothing is expected: no published number tells them apart.")
    return Table(rows, made, "DDG, ablation", notes)


def table_paired(artifact: Artifact, settings: Comparison) -> Table:
    """Return differences between methods, seed by seed."""
    made = [Column("difference", "First minus second"), Column("where", "Evaluation")]
    made += [
        Column("value", "difference", "spread", unit="points", decimals=1),
        Column("low", "95 % interval from", "number", decimals=1),
        Column("high", "to", "number", decimals=1),
    ]
    places = [
        (f"{task}/dpc_{dpc}", settings.learner, f"learner, {settings.titles[task]}, {dpc} a class")
        for task in settings.table_1["tasks"]
        for dpc in settings.table_1["dpcs"]
    ]
    places += [
        (f"{task}/{scorer}", model, f"{model} in context, {settings.titles[task]}, {SCORER_NAMES[scorer]}")
        for task in settings.table_1["tasks"]
        for model in settings.models
        for scorer in settings.scorers(settings.table_main)
    ]
    rows: list[dict[str, Cell]] = []
    for first, second in settings.table_paired["pairs"]:
        for setting, model, title in places:
            value = artifact.cell(setting, f"{first}-{second}", DIFFERENCE, model=model)
            row: dict[str, Cell] = {
                "difference": f"{method_label(first)} − {method_label(second)}",
                "where": title,
                "value": value,
            }
            row["low"] = getattr(value, "low", value)
            row["high"] = getattr(value, "high", value)
            rows.append(row)
    notes = ["Differences are taken seed by seed, then averaged; the interval is Student's over these differences."]
    return Table(rows, made, "DDG and DiLM: paired differences between methods", notes)


TABLES: dict[str, Callable[[Artifact, Comparison], Table]] = {
    "table_1": learner_table,
    "table_2": other_learners,
    "table_7": other_learners,
    "table_8": other_learners,
    "table_3": table_3,
    "table_4": table_4,
    "table_main": table_main,
    "table_long": table_long,
    "table_ablation": table_ablation,
    "table_paired": table_paired,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Write one table."""
    tabulate(argv, __doc__, TABLES, Comparison)


if __name__ == "__main__":
    run_step(main)
