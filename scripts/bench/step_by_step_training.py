"""Benchmark of Distilling Step-by-Step's training: examples per second beside a Seq2SeqTrainer that trains as released.

The reference behaves like the released code: its collator makes a data frame of the batch, takes two sub-batches from
it, pads each to its own longest row, and its loss runs the whole model twice. Both train the same model on the same
batches in one process, turn by turn; the ratio is the median over the turns. Setting either up is not timed. Small
students are trained as the workflow trains them, several runs in one stack; `single` is one run by itself.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any, Sequence

from scripts.bench.results import add_bench_flags, make_result, reference_entry, speed, take_turns
from scripts.bench.workload import add_shared_flag
from scripts.common.errors import UserError, run_step
from scripts.common.files import open_text, write_json
from scripts.common.seeding import generator

TOLERANCE = 1e-5  # nats, on the first steps
COMPARED_STEPS = 5
SEED = 0
# Ours lets the learning rate fall to 0 at its last step; so far away, it is as constant as the reference's.
MAX_STEPS = 10**9


@dataclasses.dataclass(frozen=True)
class Shape:
    """A student and its batches: width, layers on either side, feed-forward width, rows a batch; runs in one stack."""

    name: str
    d_model: int
    layers: int
    d_ff: int
    batch_size: int
    n_runs: int | None


SHAPES = (Shape("t5_2x64", 64, 2, 128, 16, 8), Shape("t5_4x256", 256, 4, 512, 16, None))


@dataclasses.dataclass(frozen=True)
class Work:
    """One model with its rows: `rows` are (input, label, rationale) as the tokenizer's ids are made from them."""

    shape: Shape
    text: str
    loaded: Any
    rows: list[dict[str, str]]
    settings: Any


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_bench_flags(parser, repeats=5)
    add_shared_flag(parser)
    parser.add_argument("--steps", type=int, default=20, help="timed training steps of a turn")
    return parser.parse_args(argv)


def read_rows(shared: Path | None, n: int) -> tuple[list[dict[str, str]], str]:
    """Return rows of CQA with PaLM's rationales, and where they are from; random words of like lengths without them."""
    folder = shared / "data" / "step_by_step" / "cqa" if shared else None
    if folder is None or not folder.is_dir():
        logging.warning("no real rows: rows of random words stand in for CQA")
        return synthetic_rows(n), "random words, about as long as CQA's"
    from scripts.step_by_step.parsing import parse

    gold = folder / "cqa_train.json"
    with open_text(gold if gold.is_file() else gold.with_name("cqa_train.json.gz")) as stream:
        questions = [json.loads(line) for _, line in zip(range(n), stream)]
    with open_text(folder / "llm_train_CoT_0.json") as stream:
        answers = json.load(stream)[:n]
    rows = []
    for question, answer in zip(questions, answers):
        choices = "\n".join(f"({letter}) {choice}" for letter, choice in zip("abcde", question["choices"]))
        rows.append(
            {
                "input": f"{question['question']}\nAnswer Choices:\n{choices}",
                "label": question["answer"],
                "rationale": parse(answer, "cqa", "compatible").rationale,
            }
        )
    return rows, "CoS-E questions with PaLM's rationales"


def synthetic_rows(n: int) -> list[dict[str, str]]:
    """Return rows of random words, about as long as CQA's."""
    draw = generator(SEED, "bench", "step_by_step")

    def words(mean: float) -> str:
        count = max(1, int(draw.gamma(8.0, mean / 8.0)))
        return " ".join(f"w{draw.integers(0, 3000)}" for _ in range(count))

    return [{"input": words(24), "label": words(1.5), "rationale": words(24)} for _ in range(n)]


def build_tokenizer(rows: Sequence[dict[str, str]]) -> Any:
    """Return a word-level tokenizer of exactly the rows' words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    texts = ["predict: explain: label", *(text for row in rows for text in row.values())]
    split = pre_tokenizers.Whitespace()
    words = sorted({word for text in texts for word, _ in split.pre_tokenize_str(text)})
    ids = {token: index for index, token in enumerate(["<pad>", "</s>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = split
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def make_work(shape: Shape, rows: list[dict[str, str]], text: str) -> Work:
    """Return a random T5 v1.1 of the shape, without dropout so that losses can be compared, and its settings."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    from scripts.common.step_parser import checked, shipped_config
    from scripts.lm.load import LoadedModel
    from scripts.step_by_step.settings_train import JobSettings, TrainSettings

    tokenizer = build_tokenizer(rows)
    torch.manual_seed(SEED)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=shape.d_model, d_kv=shape.d_model // 4, d_ff=shape.d_ff,
        num_layers=shape.layers, num_decoder_layers=shape.layers, num_heads=4, feed_forward_proj="gated-gelu",
        dropout_rate=0.0, tie_word_embeddings=True, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    loaded = LoadedModel(model, tokenizer, torch.device("cpu"), torch.float32, "encoder_decoder", 1024)
    changes = {
        "method": "task_prefix", "label_type": "gt", "max_steps": MAX_STEPS, "eval_steps": MAX_STEPS, "form": "cqa",
        "batch_size": shape.batch_size, "metric": "text", "bf16": False, "output_rationale": False, "save_steps": 0,
        "adam_epsilon_rule": "after_correction",  # as the Trainer of today, which this is held against
    }  # fmt: skip
    settings = checked(TrainSettings, {**JobSettings.of(shipped_config())["train"], **changes})
    return Work(shape, text, loaded, rows, settings)


class Ours:
    """Our training loop on a copy of the model, or on a stack of `n_runs` copies."""

    def __init__(self, work: Work, n_runs: int | None = None) -> None:
        import torch

        from scripts.step_by_step.students import SingleStudent, StackedStudents, make_optimizer
        from scripts.step_by_step.training import Feeder

        loaded = dataclasses.replace(work.loaded, model=copy.deepcopy(work.loaded.model))
        self.settings, self.step, runs = work.settings, 0, n_runs or 1
        self.student: Any = (
            SingleStudent(loaded, bfloat16=False, eval_batch_size=1)
            if n_runs is None
            else StackedStudents(loaded, n_runs, eval_batch_size=1)
        )
        tasks = encode(work)
        self.feeder = Feeder([tasks] * runs, work.settings, [SEED] * runs, self.student.pad)
        self.optimizer = make_optimizer(self.student, work.settings)
        self.weights = torch.tensor([[0.5] * runs, [0.5] * runs])

    def run(self, steps: int) -> tuple[float, list[float]]:
        """Train on for some steps; return the seconds they took and their losses (of the first run)."""
        from scripts.step_by_step.training import take_step

        losses = []
        start = time.perf_counter()
        for _ in range(steps):
            batches = self.feeder.batches(self.step)
            losses.append(take_step(self.student, self.optimizer, batches, self.weights, self.settings, self.step)[0])
            self.step += 1
        return time.perf_counter() - start, losses


def encode(work: Work) -> list[Any]:
    """Return the rows' tokenised tasks."""
    from scripts.step_by_step.encoding import encode_tasks

    rows = [{**row, "llm_label": ""} for row in work.rows]
    return encode_tasks(
        work.loaded.tokenizer, rows, method="task_prefix", label_type="gt", alpha=0.5, form="cqa",
        longest_input=1024, longest_target=256,
    )  # fmt: skip


class Released:
    """A Seq2SeqTrainer whose collator and loss do what the released code's do, on the same batches."""

    def __init__(self, work: Work) -> None:
        from scripts.step_by_step.encoding import BatchOrder

        self.work = work
        self.model = copy.deepcopy(work.loaded.model)
        tasks = encode(work)
        order = BatchOrder(len(work.rows), work.shape.batch_size, SEED)
        self.rows = [rows_of(tasks, int(row)) for n in range(order.per_epoch) for row in order.batch(n) if row >= 0]

    def run(self, steps: int) -> tuple[float, list[float]]:
        """Train for some steps from the model as it stands; return the seconds and the losses."""
        trainer = make_trainer(self, steps)
        trainer.train()
        return trainer.clock[-1] - trainer.clock[0], trainer.losses


def rows_of(tasks: Sequence[Any], row: int) -> dict[str, list[int]]:
    """Return one example as the released data sets hold it: ids and mask of both inputs, both targets."""

    def ids(texts: Any) -> list[int]:
        return texts.ids[texts.starts[row] : texts.starts[row + 1]].tolist()

    label, rationale = tasks
    first, second = ids(label.inputs), ids(rationale.inputs)
    return {
        "input_ids": first,
        "attention_mask": [1] * len(first),
        "labels": ids(label.targets),
        "expl_input_ids": second,
        "expl_attention_mask": [1] * len(second),
        "aux_labels": ids(rationale.targets),
    }


def clock_of(times: list[float]) -> Any:
    """Return a callback of the trainer that notes the times before the first step and after each."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if not times:
                times.append(time.perf_counter())

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            times.append(time.perf_counter())

    return Clock()


def collator_of(tokenizer: Any, model: Any) -> Any:
    """Return what makes a batch: two sub-batches of the same rows, each padded by itself, out of a data frame."""
    import pandas as pd
    from transformers import DataCollatorForSeq2Seq

    class TwoBatches(DataCollatorForSeq2Seq):
        def __call__(self, features: Any, return_tensors: Any = None) -> dict[str, Any]:
            frame = pd.DataFrame(features)
            label = frame.loc[:, ["input_ids", "attention_mask", "labels"]]
            names = {"expl_input_ids": "input_ids", "expl_attention_mask": "attention_mask", "aux_labels": "labels"}
            rationale = frame.loc[:, list(names)].rename(columns=names)
            parts = {"pred": label, "expl": rationale}
            return {name: super(TwoBatches, self).__call__(part.to_dict("records")) for name, part in parts.items()}

    return TwoBatches(tokenizer=tokenizer, model=model)


def trainer_class() -> type:
    """Return the trainer: its loss runs the whole model twice and is noted in `losses`; rows come in their order."""
    import torch
    from transformers import Seq2SeqTrainer

    class TwoPasses(Seq2SeqTrainer):
        clock: list[float]
        losses: list[float]

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None):
            label, rationale = model(**inputs["pred"]), model(**inputs["expl"])
            loss = 0.5 * label.loss + 0.5 * rationale.loss
            self.losses.append(loss.detach())
            return (loss, {"pred": label, "expl": rationale}) if return_outputs else loss

        def _get_train_sampler(self, *args: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    return TwoPasses


def make_trainer(released: Released, steps: int) -> Any:
    """Return the reference trainer for some steps; `clock` holds the times before the first and after each."""
    from transformers import PrinterCallback, Seq2SeqTrainingArguments

    work, times = released.work, []
    folder = tempfile.mkdtemp()
    arguments = Seq2SeqTrainingArguments(
        output_dir=folder, per_device_train_batch_size=work.shape.batch_size, learning_rate=work.settings.learning_rate,
        max_steps=steps, lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=1.0, save_strategy="no",
        eval_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True, remove_unused_columns=False,
        logging_steps=10**6, dataloader_pin_memory=False, seed=SEED,
    )  # fmt: skip
    trainer = trainer_class()(
        model=released.model, args=arguments, train_dataset=released.rows,
        data_collator=collator_of(work.loaded.tokenizer, released.model), callbacks=[clock_of(times)],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.clock, trainer.losses = times, []
    Path(folder).rmdir()
    return trainer


def first_difference(work: Work) -> float:
    """Return by how much the losses of both loops differ at most on the first steps, in nats."""
    _, ours = Ours(work, work.shape.n_runs).run(COMPARED_STEPS)
    _, theirs = Released(work).run(COMPARED_STEPS)
    return max(abs(a - float(b)) for a, b in zip(ours, theirs))


def sizes_of(work: Work) -> dict[str, Any]:
    """Return the counts that belong beside every measured value."""
    lengths = {name: float(part.lengths().mean()) for name, part in named_lengths(work).items()}
    return {
        "source": work.text,
        "rows": len(work.rows),
        "batch": work.shape.batch_size,
        "runs": work.shape.n_runs or 1,
        "words": len(work.loaded.tokenizer),
        "parameters": sum(weight.numel() for weight in work.loaded.model.parameters()),
        **{f"mean_{name}_tokens": round(value, 1) for name, value in lengths.items()},
    }


def measure(work: Work, threads: int, repeats: int, steps: int) -> dict[str, Any]:
    """Return the result for one model in the common benchmark schema."""
    difference = first_difference(work)
    tasks = {"ours": Ours(work, work.shape.n_runs), "seq2seq_trainer": Released(work)}
    if work.shape.n_runs is not None:  # else it is ours
        tasks["single"] = Ours(work)
    times = take_turns(tasks, repeats, warm_up=1, clock=lambda task: task.run(steps)[0])
    examples = steps * work.shape.batch_size
    own = examples * (work.shape.n_runs or 1)
    reference = reference_entry(times, "seq2seq_trainer", examples, difference, own_count=own)
    sizes = {**sizes_of(work), "steps": steps, "repeats": repeats}
    ours, unit = speed(times["ours"], own), "training examples per second"
    references = {"seq2seq_trainer": reference}
    found = make_result("step_by_step_training", work.shape.name, unit, ours, references, sizes, threads)
    return {**found, "single": speed(times.get("single", times["ours"]), examples)}


def named_lengths(work: Work) -> dict[str, Any]:
    """Return the flat texts of inputs, labels and rationales."""
    label, rationale = encode(work)
    return {"input": label.inputs, "label": label.targets, "rationale": rationale.targets}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both models, check that the losses are equal, write the JSON."""
    args = parse_args(argv)
    import torch

    torch.set_num_threads(args.threads)
    rows, text = read_rows(args.shared, max(shape.batch_size for shape in SHAPES) * 40)
    results = []
    for shape in SHAPES:
        result = measure(make_work(shape, rows, text), args.threads, args.repeats, args.steps)
        entry = result["references"]["seq2seq_trainer"]
        if not entry["max_abs_diff"] <= TOLERANCE:
            raise UserError(
                f"{shape.name}: losses differ by {entry['max_abs_diff']:.2e} nats, more than {TOLERANCE}; the result is"
                " not written"
            )
        logging.info(
            "%s: ours %.1f (%d at once; one alone %.1f), seq2seq_trainer %.1f %s: %.2f times; losses differ by %.1e",
            shape.name, result["ours"], result["sizes"]["runs"], result["single"], entry["value"], result["unit"],
            entry["ratio"], entry["max_abs_diff"],
        )  # fmt: skip
        results.append(result)
    write_json(args.metrics_out, {**results[0], "also": results[1:]})


if __name__ == "__main__":
    run_step(main)
