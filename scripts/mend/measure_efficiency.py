"""Measure what answering costs: FLOPs, memory and time of each method, preparation and queries apart (figure 3).

Preparation happens once per task: running the demonstrations (in-context learning with a cache) or distilling them and
running the vectors (MEND). Without a cache every option of every query is run behind the whole prefix again, as the
release does. FLOPs and bytes are counted, so they are the same everywhere; seconds go to a file of their own. None of
them depends on what a distiller has learned, so one of the right size does, whether or not it is trained.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from typing import TYPE_CHECKING, Any, Callable, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.demonstrations import Encoder, join_for_llm, parse_format
from scripts.mend.experiments import COST, PAPER, SECONDS
from scripts.mend.sampling import distiller_batches
from scripts.mend.scoring import Queries
from scripts.mend.task_files import asked_rows, demonstration_rows, test_file

if TYPE_CHECKING:
    from scripts.lm.score import PrefixCache, Scorer
    from scripts.mend.distiller import Distiller

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class EfficiencySettings:
    """model: its registry name; train_seed: under which the values are kept; task_name, shots, seed: whose files;
    n_demonstrations: numbers of demonstrations to compare; n_queries: queries of the total; repeats: timed runs, their
    median counts; batch_tokens: tokens per row of the scorer; n_vectors, pooler: of the distiller, pooler as in
    `scripts.mend.distiller` (None: a saved distiller's own); layers: first ones kept of a plain model, None for all.
    """

    model: str
    train_seed: int
    task_name: str
    shots: int
    seed: int
    n_demonstrations: Sequence[int]
    n_queries: int
    repeats: int
    batch_tokens: int
    n_vectors: int
    pooler: str | None
    layers: int | None = None


@dataclasses.dataclass(frozen=True)
class Procedure:
    """One method: what is done once, what is done for all queries with its result, and sizes.

    tokens: positions before each query that the large model attends to.
    """

    method: str
    prepare: Callable[[], Any]
    answer: Callable[[Any], Any]
    tokens: int
    parameters: int


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_flags(parser, family="causal")
    parser.add_argument("--distiller", required=True, help="folder of a distiller, or of a model to start from")
    parser.add_argument("--tasks", required=True, help="folder with one folder of k-shot files per task")
    parser.add_argument("--settings", required=True, help="JSON: model's name, task, distiller's size, repeats")
    parser.add_argument("--format", required=True, help="JSON: how examples become tokens")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV: FLOPs, bytes, tokens")
    parser.add_argument("--seconds-out", required=True, help="measurement file, CSV: seconds, which vary")
    return parser.parse_args(argv)


def plans(
    scorer: Scorer, distiller: Distiller, encoder: Encoder, examples: Sequence[Any], queries: Queries
) -> list[Procedure]:
    """Return the methods to compare for one set of demonstrations."""
    from scripts.mend.distiller import distil_groups

    device = scorer.device
    own = sum(weight.numel() for weight in scorer.model.parameters())
    extra = sum(weight.numel() for weight in distiller.parameters())
    demonstrations = join_for_llm(examples, encoder.form).ids
    batches = distiller_batches(examples, encoder, 1)

    def vectors() -> Any:
        return distil_groups(distiller, [batches], device)[0]

    def cached(prefix: PrefixCache | None) -> Any:
        return queries.scores(prefix)

    def uncached_tokens(prefix: Any) -> Any:
        return one_by_one(scorer, queries, prefix, None)

    def uncached_vectors(prefix: Any) -> Any:
        return one_by_one(scorer, queries, (), prefix)

    n_vectors = distiller.n_vectors
    return [
        Procedure("zero_shot", lambda: None, cached, 0, own),
        Procedure("icl_uncached", lambda: demonstrations, uncached_tokens, len(demonstrations), own),
        Procedure("icl_cached", lambda: scorer.prefill(demonstrations), cached, len(demonstrations), own),
        Procedure("mend_uncached", vectors, uncached_vectors, n_vectors, own + extra),
        Procedure("mend", lambda: scorer.prefill(embeds=vectors()), cached, n_vectors, own + extra),
    ]


def one_by_one(scorer: Scorer, queries: Queries, ids: Sequence[int], embeds: Any) -> list[float]:
    """Score every option of every query with the prefix run anew each time, as the release does."""
    from scripts.lm.score import Continuation

    sums = []
    for item in queries.packed.continuations:
        if embeds is None:
            whole = Continuation((*ids, *item.query_ids), item.answer_ids)
            sums.append(float(scorer.score(None, [whole]).logprob_sums[0]))
        else:
            sums.append(float(scorer.score(scorer.prefill(embeds=embeds), [item]).logprob_sums[0]))
    return sums


def measure(plan: Procedure, n_queries: int, repeats: int, device: Any) -> tuple[dict, dict]:
    """Return counted quantities and seconds of one method, each by (phase, quantity)."""
    import torch

    from scripts.mend.cost import cost_of, median_seconds

    with torch.no_grad():
        ready = plan.prepare()
        once, each = cost_of(plan.prepare), cost_of(lambda: plan.answer(ready))
        seconds = {
            "prepare": median_seconds(plan.prepare, repeats, device),
            "query": median_seconds(lambda: plan.answer(ready), repeats, device) / n_queries,
        }
    counted = {
        ("prepare", "flops"): once.flops,
        ("query", "flops"): each.flops / n_queries,
        ("total", "flops"): once.flops + each.flops,
        ("prepare", "peak_tensor_bytes"): once.peak_bytes,
        ("query", "peak_tensor_bytes"): each.peak_bytes,
        ("total", "peak_tensor_bytes"): max(once.peak_bytes, each.peak_bytes),
        ("prepare", "cache_bytes"): cache_bytes(ready),
        ("prepare", "tokens"): plan.tokens,
        ("prepare", "parameters"): plan.parameters,
    }
    return counted, {**seconds, "total": seconds["prepare"] + n_queries * seconds["query"]}


def cache_bytes(prefix: Any) -> int:
    """Return the bytes of a prefix's keys and values (0 where nothing is cached)."""
    parts = (*getattr(prefix, "keys", ()), *getattr(prefix, "values", ())) if hasattr(prefix, "next_position") else ()
    return sum(part.numel() * part.element_size() for part in parts)


def compare(
    scorer: Scorer,
    distiller: Distiller,
    encoder: Encoder,
    settings: EfficiencySettings,
    tasks: str,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of both files: counted quantities, and seconds."""
    from scripts.mend.cost import break_even

    path = test_file(tasks, settings.task_name, settings.shots, settings.seed)
    asked = Queries(scorer, encoder, asked_rows(path, settings.n_queries), str(path))
    counted_rows, timed_rows = [], []
    for count in settings.n_demonstrations:
        rows = demonstration_rows(tasks, settings.task_name, settings.shots, settings.seed, count)
        examples = encoder.examples(rows)
        queries = asked.behind(join_for_llm(examples, encoder.form).ids)
        if queries.whole:
            raise UserError(
                f"--format: {count} demonstrations exceed max_tokens {encoder.form.max_tokens} and would be cut anew"
                " for each query (room metaicl), so nothing could be kept; use room mend or fewer demonstrations"
            )
        flops, seconds = {}, {}
        for plan in plans(scorer, distiller, encoder, examples, queries):
            counted, timed = measure(plan, len(queries.rows), settings.repeats, scorer.device)
            logger.info("%s, %d demonstrations: %.3g FLOPs, %.3f s in all", plan.method, count,
                        counted["total", "flops"], timed["total"])  # fmt: skip
            for (phase, quantity), value in counted.items():
                counted_rows.append(_row(plan.method, count, phase, quantity, value))
            timed_rows += [_row(plan.method, count, phase, "seconds", value) for phase, value in timed.items()]
            flops[plan.method] = {phase: counted[phase, "flops"] for phase in ("prepare", "query")}
            seconds[plan.method] = timed
        for other in ("icl_uncached", "icl_cached"):
            for costs, found in ((flops, counted_rows), (seconds, timed_rows)):
                queries_needed = break_even(costs["mend"], costs[other])
                if queries_needed is not None:
                    found.append(_row(other, count, "total", "break_even_queries", queries_needed))
    return counted_rows, timed_rows


def _row(method: str, count: int, phase: str, quantity: str, value: float) -> dict[str, Any]:
    return {"method": method, "setting": f"k_{count}", "metric": f"{phase}_{quantity}", "value": value}


def with_saving(counted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return counted rows with one more: by how much MEND lowers the operations at most, if both were counted."""
    flops = {(row["method"], row["setting"]): row["value"] for row in counted if row["metric"] == "total_flops"}
    saved = [
        1 - value / flops["icl_uncached", place]
        for (method, place), value in flops.items()
        if method == "mend" and ("icl_uncached", place) in flops
    ]
    if not saved:
        return list(counted)
    name = "max_flops_reduction_percent"
    return [*counted, {"method": "mend_vs_vanilla_icl", "setting": "all", "metric": name, "value": 100 * max(saved)}]


def in_long_schema(
    rows: Sequence[dict[str, Any]], experiment: str, settings: EfficiencySettings
) -> list[dict[str, Any]]:
    """Return rows as measured values of an experiment."""
    return [
        metric_row(PAPER, experiment, row["setting"], settings.model, row["method"], settings.train_seed, row["metric"],
                   row["value"], settings.n_queries)
        for row in rows
    ]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all methods and write both files."""
    args = parse_args(argv)
    settings = parse_settings(EfficiencySettings, args.settings)
    form = parse_format(args.format)
    from scripts.lm.load import load_model
    from scripts.lm.score import Scorer
    from scripts.mend.distiller import distiller_of_size
    from scripts.mend.llm import LargeModel

    large = LargeModel(load_model(**model_options(args)))
    form.check_window(large.window, "of --format")
    loading = {"dtype": args.dtype, "device": args.device, "threads": args.threads}
    distiller = distiller_of_size(
        large, args.distiller, settings.n_vectors, settings.pooler, **loading, layers=settings.layers
    )
    scorer = Scorer(large.model, batch_tokens=settings.batch_tokens)
    counted, timed = compare(scorer, distiller, Encoder(large.tokenizer, form), settings, args.tasks)
    logger.info("measured on %s in %s", large.device, large.dtype)
    write_metrics(args.measured_out, in_long_schema(with_saving(counted), COST, settings))
    write_metrics(args.seconds_out, in_long_schema(timed, SECONDS, settings))


if __name__ == "__main__":
    run_step(main)
