"""The settings of DDG's jobs, each the part of the config that its step computes from.

ddg: the config's key of that name, everywhere.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from scripts.common.artifact_list import unique
from scripts.ddg.measurements import ContextRun, LearnerRun
from scripts.ddg.plan import Plan
from scripts.ddg.run_columns import FULL, ZERO_SHOT

Config = Mapping[str, Any]


def pretraining(ddg: Config, task: str) -> dict[str, Any]:
    """Return the settings of stage A for one task."""
    row = ddg["tasks"][task]
    return {**ddg["pretraining"], "text_columns": row["text_columns"], "max_tokens": row["max_tokens"]}


def sampling(ddg: Config, task: str) -> dict[str, Any]:
    """Return how a task's texts are drawn."""
    return {**ddg["sets"]["sampling"], "max_new_tokens": ddg["tasks"][task]["max_tokens"] - 1}


def matching(ddg: Config, task: str, variant: str) -> dict[str, Any]:
    """Return the settings of stage B for one task and variant."""
    row, learner = ddg["tasks"][task], ddg["learners"][ddg["learner"]]
    settings = {**ddg["matching"], **ddg["variants"][variant]}
    return {
        **settings,
        "text_columns": row["text_columns"],
        "max_tokens": row["max_tokens"],
        "sampling": sampling(ddg, task),
        "learner": {**settings["learner"], "pooling": learner["pooling"]},
    }


def sets(ddg: Config, task: str, method: str) -> dict[str, Any]:
    """Return the settings of the step that makes one method's sets."""
    row = ddg["methods"][method]
    common = {
        "text_columns": ddg["tasks"][task]["text_columns"],
        **{key: ddg["sets"][key] for key in ("dpcs", "draws", "draw_seeds")},
        "reading": {**ddg["sets"]["reading"], "pooling": ddg["learners"][ddg["learner"]]["pooling"]},
    }
    if row["by"] == "coreset":
        return {**common, "method": row["select"], "herding_order": ddg["sets"]["herding_order"]}
    written = {"over_sample": ddg["sets"]["over_sample"], "selection": row["selection"]}
    return {**common, **written, "sampling": sampling(ddg, task)}


def layout(ddg: Config, task: str) -> list[str]:
    """Return the flags on the columns of a task's converted sets."""
    given = ddg["converted"]
    names = [f"{old}={new}" for old, new in given["names"].get(task, {}).items()]
    lists = "yes" if task in given["label_lists"] else "no"
    flags = ["--label-text", "yes" if given["label_text"] else "no", "--label-lists", lists]
    return [*flags, *(["--rename", *names] if names else [])]


def learners(ddg: Config, runs: Sequence[LearnerRun]) -> dict[str, Any]:
    """Return the settings of evaluation A for the runs of one job."""
    run, own = runs[0], ddg["learner_evaluation"]
    return {
        **{key: value for key, value in own.items() if key != "full"},
        "text_columns": ddg["tasks"][run.task]["text_columns"],
        "pooling": ddg["learners"][run.learner]["pooling"],
        "dpcs": sorted({int(one.size) for one in runs if one.size != FULL}),
        "draws": ddg["sets"]["draws"],
    }


def in_context(plan: Plan, ddg: Config, runs: Sequence[ContextRun], batch_tokens: int) -> dict[str, Any]:
    """Return the settings of evaluation B for the runs of one job; each protocol is asked about its own runs only."""
    given, task = ddg["in_context"], ddg["tasks"][runs[0].task]
    protocols = {name: given["protocols"][name] for name in unique(run.protocol for run in runs)}
    methods = {name: [run.method for run in runs if run.protocol == name] for name in protocols}
    return {
        **{key: given[key] for key in ("dpc", "draws", "instruct", "label_norm", "retrieval_rounds")},
        "batch_tokens": batch_tokens,
        "text_columns": task["text_columns"],
        "turns": task["turns"],
        "orders": {name: row["order"] for name, row in protocols.items()},
        "scorers": {name: row["scorers"] for name, row in protocols.items()},
        "only": {name: {"methods": methods[name], "rounds": plan.rounds(name)} for name in protocols},
    }


def prompts(ddg: Config, runs: Sequence[ContextRun]) -> dict[str, str]:
    """Return {protocol: prompt file} of one job of evaluation B."""
    own, given = ddg["tasks"][runs[0].task]["prompt"], ddg["in_context"]["protocols"]
    names = unique(run.protocol for run in runs)
    return {name: f"config/prompts/ddg/{given[name]['prompt'] or own}.yaml" for name in names}


def shown_methods(ddg: Config, runs: Sequence[ContextRun], *kinds: str) -> list[str]:
    """Return the methods of a job of evaluation B whose demonstrations come from one of these (`ddg.methods.*.by`)."""
    names = unique(run.method for run in runs if run.method != ZERO_SHOT)
    return [name for name in names if ddg["methods"][name]["by"] in kinds]


def averages(plan: Plan) -> dict[str, Any]:
    """Return the settings of the mean over tasks: of all that was asked in every task."""
    main = plan.ddg["table_main"]
    return {
        **{key: main[key] for key in ("tasks", "protocol", "round")},
        "scorers": plan.scorers(main["protocol"]),
        "pairs": [list(pair) for pair, reason in plan.averages().items() if not reason],
        "seeds": plan.ddg["seeds"],
    }


def differences(plan: Plan) -> dict[str, Any]:
    """Return the settings of the differences between methods."""
    ddg, main = plan.ddg, plan.ddg["table_main"]
    return {
        "pairs": ddg["table_paired"]["pairs"],
        "metrics": {task: ddg["tasks"][task]["metric"] for task in ddg["table_1"]["tasks"]},
        "learner": ddg["learner"],
        "sizes": ddg["table_1"]["dpcs"],
        "models": ddg["in_context"]["models"],
        **{key: main[key] for key in ("protocol", "round")},
        "scorers": plan.scorers(main["protocol"]),
        "seeds": ddg["seeds"],
    }
