"""Train what MEND is compared with: the LLM tuned to learn in context (MetaICL), and soft prompts (prompt tuning).

MetaICL tunes the large model itself on the meta-train tasks: demonstrations and query as tokens, loss on the answer.
Prompt tuning learns a table of L vectors for each test task and seed from that task's k examples, the model frozen.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import shutil
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import to_json, write_json
from scripts.common.seeding import derive_seed, generator, seed_all
from scripts.common.step_parser import StepParser
from scripts.common.tensors import write_tensors
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.mend.demonstrations import Encoder, PromptFormat
from scripts.mend.sampling import TaskSource, check_sizes, rows_by_task
from scripts.mend.settings_format import Format
from scripts.mend.settings_steps import PromptTuningSettings
from scripts.mend.settings_train import Tune
from scripts.mend.task_files import shot_rows

if TYPE_CHECKING:
    import torch

    from scripts.mend.llm import LargeModel

logger = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    tuned = kinds.add_parser("metaicl", help="tune the large model on the meta-train tasks")
    tuned.add_argument("--meta-train", nargs="+", required=True, help="classification rows (JSON lines)")
    tuned.add_argument("--seed", required=True, type=int)
    tuned.add_argument("--checkpoints", required=True, help="folder of this job alone: what a killed job goes on from")
    tuned.add_argument("--model-out", required=True, help="folder of the tuned model")
    prompts = kinds.add_parser("prompt_tuning", help="learn soft prompts of test tasks")
    prompts.add_argument("--tasks", required=True, help="folder with one folder of k-shot files per task")
    prompts.add_argument("--prompts-out", required=True, help="safetensors, one table per task/seed")
    tuned.add_settings(Tune)
    prompts.add_settings(PromptTuningSettings)
    for one in (tuned, prompts):
        add_model_flags(one, family="causal")
        one.add_settings(Format, flag="--format")
        one.add_argument("--history-out", required=True, help="JSON: loss of every step")
    return parser.parse_args(argv)


def tune_model(
    large: LargeModel,
    tasks: Mapping[str, Sequence[Mapping[str, Any]]],
    encoder: Encoder,
    settings: Tune,
    *,
    seed: int,
    key: Mapping[str, Any],
    checkpoints: str | None,
) -> dict[str, Any]:
    """Tune the large model (made with frozen=False) in place; return its history."""
    from scripts.mend.training_loop import LoopSettings, train

    check_sizes(tasks, settings.n_demonstrations + 1, f"{settings.n_demonstrations} demonstrations and a query")
    source = TaskSource(
        tasks=tasks,
        encoder=encoder,
        n_demonstrations=settings.n_demonstrations,
        queries=1,
        batch_size=settings.batch_size,
        groups=1,
        seed=seed,
    )
    if settings.activation_checkpointing:
        large.checkpoint_activations()
    progress = train(
        tuned_module(large, source, settings.average),
        lambda module, number: {"total": module(number)},
        LoopSettings.of(settings, evaluate_steps=0, patience=0),
        seed=seed,
        key={**key, "settings": settings.given(), "format": dataclasses.asdict(encoder.form)},
        checkpoints=checkpoints,
    )
    return progress.history()


def tuned_module(large: LargeModel, source: TaskSource, average: str) -> torch.nn.Module:
    """Return the model as a module that turns a micro-batch's number into its loss: so several devices can share it.

    average: see `Tune`.
    """
    import torch

    from scripts.mend.llm import query_batch

    class Tuned(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = large.model

        def forward(self, number: int) -> torch.Tensor:
            sets = source.sets(number)
            queries = query_batch(sets.pairs, large.device)
            found = large.run(*large.embed(sets.teacher_ids), queries)
            weight, bias, scale = large.head()
            logits = torch.nn.functional.linear(found.states[found.is_answer] * scale, weight, bias)
            if average == "tokens":
                return torch.nn.functional.cross_entropy(logits.float(), found.targets)
            losses = torch.nn.functional.cross_entropy(logits.float(), found.targets, reduction="none")
            counts = queries.answer_mask.flatten(0, 1).sum(1)
            return (losses / counts.repeat_interleave(counts)).sum() / len(counts)

    return Tuned()


def tune_prompts(
    large: LargeModel,
    examples: Mapping[str, Sequence[tuple[Sequence[int], Sequence[int]]]],
    settings: PromptTuningSettings,
) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Learn one table of vectors for each name from its (query ids, answer ids).

    The tables of `tables_at_once` names share each forward pass, but no number: every table has its own rows behind it,
    and AdamW works element by element. Returns the tables, (L, width) each, and the mean loss of every step.
    """
    names = list(examples)
    tables: dict[str, torch.Tensor] = {}
    losses = [0.0] * settings.steps
    for start in range(0, len(names), settings.tables_at_once):
        part = names[start : start + settings.tables_at_once]
        found, history = _tune_together(large, {name: examples[name] for name in part}, settings)
        tables.update(found)
        losses = [total + loss * len(part) / len(names) for total, loss in zip(losses, history)]
    return tables, losses


def _tune_together(
    large: LargeModel, examples: Mapping[str, Sequence[tuple[Sequence[int], Sequence[int]]]], settings: Any
) -> tuple[dict[str, torch.Tensor], list[float]]:
    import torch

    from scripts.mend.llm import query_batch
    from scripts.mend.losses import OutputHead, distillation_loss
    from scripts.mend.training_loop import LoopSettings, train

    names = list(examples)
    head = OutputHead(*large.head())

    class Tables(torch.nn.Module):
        """The tables of all names, in float32."""

        def __init__(self) -> None:
            super().__init__()
            drawn = [start_table(large, settings.n_vectors, settings.start, name) for name in names]
            self.table = torch.nn.Parameter(torch.stack(drawn).float())

        def forward(self) -> torch.Tensor:
            return self.table

    def loss_of(module: torch.nn.Module, number: int) -> dict[str, torch.Tensor]:
        queries = query_batch(
            [_drawn(examples[name], settings.batch_size, name, number) for name in names], large.device
        )
        vectors = module().to(large.dtype)
        mask = torch.ones(vectors.shape[:2], dtype=torch.long, device=large.device)
        found = large.run(vectors, mask, queries)
        sums = distillation_loss(
            found.states, None, found.targets, found.is_answer, head, kl_weight=0.0, lm_weight=float(len(names))
        )
        return {"total": sums.total, "lm": sums.lm}

    loop = LoopSettings(
        steps=settings.steps,
        accumulation=1,
        learning_rate=settings.learning_rate,
        warmup_ratio=0.0,
        weight_decay=0.0,
        max_grad_norm=0.0,
        adam_epsilon_rule=settings.adam_epsilon_rule,
        weight_decay_on="except_norms",
        evaluate_steps=0,
        patience=0,
        save_steps=0,
        precision="float32",
    )
    module = Tables()
    history = train(module, loss_of, loop, seed=0, key={}, checkpoints=None).history()
    return dict(zip(names, module.table.detach().unbind(0))), history["losses"].get("lm", [])


def _drawn(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]], size: int, name: str, number: int
) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Return the `size` examples of step `number`: all come once before any comes again."""
    chosen = []
    for place in range(number * size, (number + 1) * size):
        order = generator(0, "mend", "prompt", name, place // len(pairs)).permutation(len(pairs))
        chosen.append(pairs[int(order[place % len(pairs)])])
    return chosen


def start_table(large: LargeModel, n_vectors: int, start: str, name: str) -> torch.Tensor:
    """Return a table (L, width) to start from: embeddings of random words, or normal noise of their spread."""
    import torch

    from scripts.mend.distiller import FIRST_WORD, PLACEHOLDER_STARTS

    if start not in PLACEHOLDER_STARTS:
        raise UserError(f"start: '{start}' is not one of {', '.join(PLACEHOLDER_STARTS)}")
    words = large.model.get_input_embeddings().weight.detach()
    draws = torch.Generator().manual_seed(derive_seed(0, "mend", "soft_prompt", name))
    if start == "normal":
        return torch.randn(n_vectors, words.shape[1], generator=draws).to(words) * words.float().std().to(words)
    first = FIRST_WORD if words.shape[0] > 2 * FIRST_WORD else 0
    return words[torch.randint(first, words.shape[0], (n_vectors,), generator=draws).to(words.device)].clone()


def prompt_examples(
    root: str, encoder: Encoder, settings: PromptTuningSettings
) -> dict[str, list[tuple[Sequence[int], Sequence[int]]]]:
    """Return the training examples of every task and seed, by `task/seed`."""
    found = {}
    for task in settings.task_names:
        for seed in settings.seeds:
            rows = shot_rows(root, task, settings.shots, seed)
            needed = settings.n_examples or len(rows)
            check_sizes({task: rows}, needed, "prompt tuning")
            encoded = [encoder.query(row) for row in rows[:needed]]
            found[f"{task}/{seed}"] = [(one.query, one.predicted) for one in encoded]
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Train one kind of baseline."""
    args = parse_args(argv)
    form = PromptFormat(**args.format.given())
    settings: Any = args.settings
    from scripts.lm.checkpoints import is_first_process
    from scripts.lm.load import load_model
    from scripts.mend.llm import LargeModel

    tuned = args.kind == "metaicl"
    options = model_options(args)
    if tuned:
        options["dtype"] = "float32"  # updates of 1e-5 vanish in bfloat16; arithmetic follows settings.precision
    loaded = load_model(**options)
    large = LargeModel(loaded, frozen=not tuned)
    form.check_window(large.window, "of --format")
    encoder = Encoder(loaded.tokenizer, form)
    if tuned:
        history = tune_and_save(args, loaded, large, encoder, settings)
    else:
        seed_all(0)
        history = learn_and_save(args, large, encoder, settings)
    if is_first_process():
        write_json(args.history_out, history)
        if tuned:
            shutil.rmtree(args.checkpoints, ignore_errors=True)


def tune_and_save(
    args: argparse.Namespace, loaded: Any, large: LargeModel, encoder: Encoder, settings: Tune
) -> dict[str, Any]:
    """Tune the model on the rows of `--meta-train`, write it, and return its history."""
    import hashlib

    from scripts.lm.checkpoints import digest_of_model, save_model

    rows = [row for path in args.meta_train for row in read_examples(path, "classification")]
    encoder.learn(rows)
    seed_all(args.seed)
    key = {"model": digest_of_model(loaded.model), "rows": hashlib.sha256(to_json(rows).encode()).hexdigest()}
    history = tune_model(
        large, rows_by_task(rows), encoder, settings, seed=args.seed, key=key, checkpoints=args.checkpoints
    )
    save_model(loaded, args.model_out)
    return history


def learn_and_save(
    args: argparse.Namespace, large: LargeModel, encoder: Encoder, settings: PromptTuningSettings
) -> dict[str, Any]:
    """Learn the soft prompts of `--tasks`, write them, and return their history."""
    examples = prompt_examples(args.tasks, encoder, settings)
    tables, losses = tune_prompts(large, examples, settings)
    write_tensors(args.prompts_out, {name: table.cpu().numpy() for name, table in tables.items()})
    return {"losses": losses, "tables": len(tables), "examples": {name: len(rows) for name, rows in examples.items()}}


if __name__ == "__main__":
    run_step(main)
