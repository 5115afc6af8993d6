"""Where the large model looks when it answers: at demonstrations or distilled vectors, and at the query (figure 5).

The position that predicts the answer's first token is followed, mean over heads and queries. The distiller's own look
at the demonstrations (from its placeholders) goes with it.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.metrics import metric_row, write_metrics
from scripts.common.settings import parse_settings
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.demonstrations import Encoder, Joined, join_for_distiller, join_for_llm, parse_format
from scripts.mend.experiments import ATTENTION, PAPER
from scripts.mend.task_files import asked_rows, demonstration_rows, test_file

if TYPE_CHECKING:
    from torch import Tensor

    from scripts.mend.distiller import Distiller
    from scripts.mend.llm import LargeModel

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class AttentionSettings:
    """model: its registry name; task_name, shots, seed: whose files; n_demonstrations: shown; n_queries: over how many
    queries the mean runs.
    """

    model: str
    task_name: str
    shots: int
    seed: int
    n_demonstrations: int
    n_queries: int


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_flags(parser, family="causal")
    parser.add_argument("--distiller", required=True, help="folder of a distiller")
    parser.add_argument("--tasks", required=True, help="folder with one folder of k-shot files per task")
    parser.add_argument("--settings", required=True, help="JSON: model's name, task, demonstrations, queries")
    parser.add_argument("--format", required=True, help="JSON: how examples become tokens")
    parser.add_argument("--measured-out", required=True, help="measurement file, CSV")
    return parser.parse_args(argv)


def attention_of(body: Any, embeds: Tensor, rows: Sequence[int]) -> Tensor:
    """Return how the given positions of one text look at all others, (layers, tokens), mean over heads and positions.

    embeds: (tokens, width).
    """
    import torch

    with torch.no_grad():
        output = body(inputs_embeds=embeds[None], output_attentions=True)
    return torch.stack([layer[0][:, list(rows)].float().mean(dim=(0, 1)) for layer in output.attentions])


def shares(weights: Tensor, parts: Mapping[str, tuple[int, int]]) -> dict[str, list[float]]:
    """Return the attention mass on each named part, by layer; weights: (layers, tokens), parts: begin and end."""
    return {name: weights[:, start:end].sum(1).tolist() for name, (start, end) in parts.items()}


def model_shares(
    large: LargeModel, prefix: Tensor, parts: Mapping[str, tuple[int, int]], queries: Sequence[Sequence[int]]
) -> dict[str, list[float]]:
    """Return the mean shares over queries, from each query's last position; parts: of the prefix (tokens, width)."""
    import torch

    totals: dict[str, list[float]] = {}
    for query in queries:
        own = large.model.get_input_embeddings()(torch.tensor(list(query), device=large.device))
        embeds = torch.cat([prefix, own.to(prefix.dtype)])
        weights = attention_of(large.model.base_model, embeds, [len(embeds) - 1])
        found = shares(weights, {**parts, "query": (len(prefix), len(embeds))})
        for name, values in found.items():
            before = totals.get(name, [0.0] * len(values))
            totals[name] = [a + b / len(queries) for a, b in zip(before, values)]
    return totals


def demonstration_parts(joined: Joined) -> dict[str, tuple[int, int]]:
    """Return where each demonstration stands, and all of them."""
    parts = {f"demonstration_{number}": span for number, span in enumerate(joined.spans, start=1)}
    return {**parts, "demonstrations": (0, len(joined.ids))}


def vector_parts(n_vectors: int, start: int = 0) -> dict[str, tuple[int, int]]:
    """Return where each vector stands from position `start` on, and all of them."""
    parts = {f"vector_{number}": (start + number - 1, start + number) for number in range(1, n_vectors + 1)}
    return {**parts, "vectors": (start, start + n_vectors)}


def distiller_shares(distiller: Distiller, joined: Joined) -> dict[str, list[float]]:
    """Return how the placeholders look at the demonstrations and at each other, mean over placeholders."""
    import torch

    table = distiller.body.get_input_embeddings()
    ids = torch.tensor(list(joined.ids), device=table.weight.device)
    embeds = torch.cat([table(ids), distiller.placeholders.to(table.weight.dtype)])
    places = range(len(joined.ids), len(embeds))
    weights = attention_of(distiller.body, embeds, list(places))
    return shares(weights, {**demonstration_parts(joined), **vector_parts(distiller.n_vectors, len(joined.ids))})


def rows_of(reader: str, found: Mapping[str, Sequence[float]], settings: AttentionSettings, n: int) -> list[dict]:
    """Return one reader's shares by layer in the long schema; n: how many queries they are means over."""
    key = (settings.model, reader, settings.seed)
    return [
        metric_row(PAPER, ATTENTION, f"layer_{layer:02d}", *key, f"share_{part}", float(f"{value:.6g}"), n)
        for part, values in found.items()
        for layer, value in enumerate(values, start=1)
    ]


def maps(
    large: LargeModel, distiller: Distiller, encoder: Encoder, settings: AttentionSettings, tasks: str
) -> list[dict[str, Any]]:
    """Return the rows of all three readers in the long schema."""
    import torch

    from scripts.mend.distiller import distil_groups

    if large.encoder_decoder:
        raise UserError("--model: attention maps follow a causal model; leave encoder-decoder models out")
    shown = demonstration_rows(tasks, settings.task_name, settings.shots, settings.seed, settings.n_demonstrations)
    examples = encoder.examples(shown)
    joined, short = join_for_llm(examples, encoder.form), join_for_distiller(examples, encoder.form)
    path = test_file(tasks, settings.task_name, settings.shots, settings.seed)
    asked = [encoder.query(row).query for row in asked_rows(path, settings.n_queries)]
    large.model.set_attn_implementation("eager")
    distiller.body.set_attn_implementation("eager")
    with torch.no_grad():
        vectors = distil_groups(distiller, [[short.ids]], large.device)[0].to(large.dtype)
        tokens = large.embed([joined.ids])[0][0]
    by_icl = model_shares(large, tokens, demonstration_parts(joined), asked)
    by_mend = model_shares(large, vectors, vector_parts(len(vectors)), asked)
    return [
        *rows_of("llm_icl", by_icl, settings, len(asked)),
        *rows_of("llm_mend", by_mend, settings, len(asked)),
        *rows_of("distiller", distiller_shares(distiller, short), settings, 1),  # it reads no query
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Follow the attention of one task's queries and write the table."""
    args = parse_args(argv)
    settings = parse_settings(AttentionSettings, args.settings)
    form = parse_format(args.format)
    from scripts.lm.load import load_model
    from scripts.mend.distiller import load_distiller_for
    from scripts.mend.llm import LargeModel

    large = LargeModel(load_model(**model_options(args)))
    form.check_window(large.window, "of --format")
    distiller = load_distiller_for(large, args.distiller, dtype=args.dtype, device=args.device, threads=args.threads)
    rows = maps(large, distiller.module, Encoder(large.tokenizer, form), settings, args.tasks)
    write_metrics(args.measured_out, rows)


if __name__ == "__main__":
    run_step(main)
