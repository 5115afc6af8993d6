"""distillm: Distilling Step-by-Step on one's own data.

    distillm --data_dir FOLDER --from_pretrained MODEL --output_dir OUT     trains a small model and saves it
    distillm predict --model OUT --input FILE --predictions-out FILE        asks it
    distillm evaluate --model OUT --input FILE                              and says how often it is right

Every flag of the original repository and of its fork `distillm` means here what it means there.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.common.settings import check_choice
from scripts.lm.optimizer_options import EPSILON_RULES
from scripts.step_by_step.distillm_flags import (
    TRAIN_HINTS,
    TRAIN_SYNONYMS,
    HelpFormatter,
    OneLineParser,
    add_column_flags,
)
from scripts.step_by_step.distillm_output import TrainingOutput, check_output_dir
from scripts.step_by_step.distillm_predict import predict_parser, predict_rows
from scripts.step_by_step.equations import BLANKS, UNKNOWN_WORDS
from scripts.step_by_step.progress import TrainingProgress

if TYPE_CHECKING:
    from scripts.step_by_step.own_data import OwnSettings
    from scripts.step_by_step.settings_train import TrainSettings

LOG = logging.getLogger(__name__)

MODEL_TYPES = ("task_prefix", "standard", "single_task", "pinto")
LLMS = ("palm", "gpt", "generic", "none")
COMMANDS = ("train", "predict", "evaluate")
LIMITS = {key: f"--{key}" for key in ("max_input_length", "max_target_length", "gen_max_len")}
EXAMPLES = """\
Your rows: JSON lines, a JSON list, or objects one after the other, each with
  {"input": "...", "label": "...", "rationale": "..."}
in FOLDER/train.json and FOLDER/test.json (also .jsonl, .csv, .tsv, .parquet, .gz; validation rows: valid.json).

examples:
  distillm --data_dir my_data --from_pretrained google/t5-v1_1-small --max_steps 1000
  distillm --train_file rows.csv --input_column question --label_column answer --rationale_column why
  distillm --data_dir my_data --from_pretrained ./my_t5 --model_type standard    labels only, for comparison
  distillm --dataset cqa --data_dir datasets --llm palm --label_type llm         the paper's files and teacher
  distillm predict --model outputs --input new.jsonl --predictions-out answers.jsonl
  distillm evaluate --model outputs --input labelled.csv                         accuracy of labelled rows
"""


def _add_data_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags on what is learnt from."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--dataset", default="generic", metavar="NAME", help="generic, or esnli, anli1, cqa, svamp, asdiv"
    )
    group.add_argument(
        "--data_dir", type=Path, default=Path("datasets"), metavar="FOLDER", help="folder of the files, or of NAME/"
    )
    for split in ("train", "validation", "test"):
        group.add_argument(
            f"--{split}_file", type=Path, nargs="+", metavar="FILE", help=f"your {split} rows, instead of --data_dir"
        )
    add_column_flags(group)
    group.add_argument(
        "--test_share", type=float, default=0.1, metavar="SHARE", help="of your rows, for the test if no file is there"
    )
    group.add_argument("--split_seed", type=int, default=0, metavar="SEED", help="seed of that share's draw")
    group.add_argument("--llm", metavar="WHO", help="whose rationales: palm, gpt, generic (your rows' own), none; "
                       "[generic for your own rows, else palm]")  # fmt: skip
    group.add_argument(
        "--label_type", default="gt", metavar="KIND", help="labels to learn: gt (gold) or llm (teacher's)"
    )
    group.add_argument(
        "--subsample", type=float, default=1.0, metavar="SHARE", help="share of the training rows to use"
    )
    group.add_argument(
        "--parser", default="compatible", metavar="HOW", help="how raw answers are read: compatible, strict"
    )
    group.add_argument(
        "--blanks", default="compared", metavar="HOW", help="blanks around text answers: compared, ignored"
    )
    group.add_argument(
        "--unknown_words",
        default="wrong",
        metavar="HOW",
        help="labels with words that the tokenizer lacks: wrong, or left_out (the words are, as in the original)",
    )


def _add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags on the student and its texts."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--from_pretrained",
        default="google/t5-v1_1-base",
        metavar="MODEL",
        help="hub id or local folder: a T5, mT5, BART or any causal model",
    )
    group.add_argument("--model_type", default="task_prefix", metavar="TYPE", help="task_prefix (label and rationale, "
                       "step by step), standard (label only), single_task, pinto")  # fmt: skip
    group.add_argument("--max_input_length", type=int, default=1024, metavar="N", help="longest input in tokens")
    group.add_argument(
        "--max_target_length", type=int, default=256, metavar="N", help="longest rationale (or label) to learn, tokens"
    )
    group.add_argument("--gen_max_len", type=int, default=64, metavar="N", help="longest answer in tokens, plus one")
    group.add_argument("--output_rationale", action="store_true", help="also write rationales for the test rows")


def _add_training_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags on how long and how fast it learns."""
    group = parser.add_argument_group("training")
    group.add_argument(
        "--alpha", type=float, default=0.5, metavar="A", help="weight of labels; 1 - A is the rationales'"
    )
    group.add_argument("--max_steps", type=int, default=10000, metavar="N", help="optimizer steps")
    group.add_argument("--eval_steps", type=int, default=250, metavar="N", help="steps between two evaluations")
    group.add_argument("--batch_size", type=int, default=64, metavar="N", help="rows per forward pass")
    group.add_argument("--grad_steps", type=int, default=1, metavar="N", help="forward passes per optimizer step")
    group.add_argument("--lr", type=float, default=5e-5, metavar="RATE", help="highest learning rate; it falls to 0")
    group.add_argument("--optimizer_name", default="AdamW", metavar="NAME", help="AdamW is the only one")
    group.add_argument(
        "--adam_epsilon_rule",
        default="before_correction",
        metavar="RULE",
        help="where AdamW adds epsilon: before_correction (as the original's) or after_correction (torch's)",
    )
    group.add_argument(
        "--run", type=int, default=0, metavar="SEED", help="seed of the sub-sample and the training order"
    )


def _add_running_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags on where it runs and what it leaves."""
    group = parser.add_argument_group("running")
    group.add_argument(
        "--output_dir", type=Path, default=Path("outputs"), metavar="FOLDER", help="model, metrics, answers"
    )
    group.add_argument(
        "--keep", default="last", metavar="WHICH", help="weights to save: last, or best on validation rows"
    )
    group.add_argument("--bf16", action="store_true", help="bfloat16 arithmetic (GPU)")
    group.add_argument("--parallelize", action="store_true", help="spread the layers over all GPUs")
    group.add_argument("--no_log", action="store_true", help="do not write log.jsonl with the evaluations")
    group.add_argument("--save_steps", type=int, default=1000, metavar="N", help="steps between checkpoints; 0: none")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    group.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="CPU threads")
    group.add_argument(
        "--local_rank",
        type=int,
        default=-1,
        metavar="N",
        help="accepted as in the original; one process does all the work",
    )


def train_parser() -> OneLineParser:
    """Return the parser of the training command; its defaults are the original's and the fork's."""
    parser = OneLineParser(
        allow_abbrev=False,
        prog="distillm",
        usage="distillm [flags] | distillm predict [flags] | distillm evaluate [flags]",
        description="Train a small model on labels and rationales (Distilling Step-by-Step); distillm predict asks it.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    parser.synonyms, parser.hints = TRAIN_SYNONYMS, TRAIN_HINTS
    for add_flags in (_add_data_flags, _add_model_flags, _add_training_flags, _add_running_flags):
        add_flags(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Train, or predict or evaluate if that is the first word."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = words.pop(0) if words and not words[0].startswith("-") else "train"
    if command not in COMMANDS:
        raise UserError(f"distillm {command}: unknown command{did_you_mean(command, COMMANDS)}; see distillm --help")
    if command == "train":
        args = train_parser().parse(words)
        try:
            train_model(args)
        except UserError as fault:  # what the workflow's settings call learning_rate
            raise UserError(str(fault).replace("learning_rate", "--lr")) from None
    else:
        predict_rows(predict_parser(command).parse(words), evaluate=command == "evaluate")


def run() -> None:
    """Entry point of the console command."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    run_step(main)


# ---- training --------------------------------------------------------------------------------------------------------


def check_flags(args: argparse.Namespace) -> None:
    """Fill in what follows from other flags. Raises `UserError` in one line for values that cannot work."""
    if args.llm is None:
        args.llm = "generic" if args.dataset == "generic" else "palm"
        if args.model_type == "standard" and args.label_type == "gt" and args.dataset != "generic":
            # DEVIATION: the released code asks for a teacher's files even where it uses nothing of them.
            args.llm = "none"
    args.llm = args.llm.lower()
    args.label_type = "gt" if args.label_type == "generic" else args.label_type  # so the fork's README has it
    check_choice("--llm", args.llm, LLMS)
    check_choice("--label_type", args.label_type, ("gt", "llm"))
    check_choice("--model_type", args.model_type, MODEL_TYPES)
    check_choice("--keep", args.keep, ("last", "best"))
    check_choice("--adam_epsilon_rule", args.adam_epsilon_rule, EPSILON_RULES)
    check_choice("--blanks", args.blanks, BLANKS)
    check_choice("--unknown_words", args.unknown_words, UNKNOWN_WORDS)
    if args.optimizer_name.lower() != "adamw":
        raise UserError(
            f"--optimizer_name: '{args.optimizer_name}' is not AdamW, the only optimizer; leave the flag out"
        )
    if args.llm == "generic" and args.dataset != "generic":
        raise UserError(f"--llm generic: goes with --dataset generic; use palm, gpt or none with {args.dataset}")
    if args.llm in ("palm", "gpt") and args.dataset == "generic":
        raise UserError(f"--llm {args.llm}: your own rows hold their rationales; use --llm generic or none")
    if args.llm == "none" and (args.label_type == "llm" or args.model_type != "standard"):
        raise UserError(
            "--llm none: leaves only --model_type standard with --label_type gt; name a teacher for the rest"
        )
    for flag, least in (("gen_max_len", 2), ("max_target_length", 2), ("max_input_length", 2)):
        if getattr(args, flag) < least:
            raise UserError(f"--{flag}: {getattr(args, flag)} leaves no room for a text; give at least {least}")
    check_own_flags(args)
    if args.local_rank > 0 or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("--local_rank: distillm runs as one process; start it without torchrun (see --grad_steps)")
    check_output_dir(args.output_dir)


def check_own_flags(args: argparse.Namespace) -> None:
    """Raise `UserError` where the flags on one's own files and columns do not go together."""
    own = ("train_file", "validation_file", "test_file", "input_column", "label_column", "rationale_column",
           "delimiter", "quoting")  # fmt: skip
    given = [f"--{name}" for name in own if getattr(args, name)]
    if given and args.dataset != "generic":
        raise UserError(f"{given[0]}: goes with your own rows (--dataset generic), not with {args.dataset}")
    if not args.train_file and (args.validation_file or args.test_file):
        raise UserError(f"{given[0]}: give --train_file too, or let --data_dir name the folder of all files")
    for file in itertools.chain(args.train_file or (), args.validation_file or (), args.test_file or ()):
        if not file.is_file():
            raise UserError(f"{file}: no such file; check the path")


def own_settings(args: argparse.Namespace) -> OwnSettings:
    """Return how one's own rows are found and read."""
    from scripts.step_by_step.own_data import OwnSettings
    from scripts.step_by_step.own_files import columns_of, layout_of

    files = {"train": args.train_file, "valid": args.validation_file, "test": args.test_file}
    return OwnSettings(
        columns=columns_of(vars(args)),
        files={split: given for split, given in files.items() if given},
        test_share=args.test_share,
        split_seed=args.split_seed,
        layout=layout_of(vars(args)),
    )


RELEASED = {
    "max_grad_norm": 1.0,
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "weight_decay_on": "except_norms",
    "token_mean": "micro_batch",
}
"""What the released code leaves to the Trainer, and how it takes the mean over tokens: no flags of it."""


def _train_settings(args: argparse.Namespace) -> TrainSettings:
    from scripts.common.step_parser import checked
    from scripts.step_by_step.parsing import find_format
    from scripts.step_by_step.settings_train import TrainSettings

    values = {
        "method": args.model_type,
        "label_type": args.label_type,
        "alpha": args.alpha,
        "max_steps": args.max_steps,
        "eval_steps": args.eval_steps,
        "batch_size": args.batch_size,
        "accumulation": args.grad_steps,
        "learning_rate": args.lr,
        "max_input_length": args.max_input_length,
        "max_target_length": args.max_target_length,
        "gen_max_len": longest_answer(args),
        "metric": find_format(args.dataset).metric,
        "form": args.dataset,
        "bf16": args.bf16,
        "output_rationale": args.output_rationale,
        "eval_batch_size": max(args.batch_size, 64),
        "save_steps": args.save_steps,
        "adam_epsilon_rule": args.adam_epsilon_rule,
        "blanks": args.blanks,
        "unknown_words": args.unknown_words,
        **RELEASED,
    }
    return checked(TrainSettings, values, "")


def train_model(args: argparse.Namespace) -> None:
    """Read the rows, train, write model, metrics and test answers."""
    from scripts.step_by_step.own_data import OwnData

    check_flags(args)
    own = OwnData(args.data_dir, args.dataset, args.llm, args.parser, own_settings(args), blanks=args.blanks)
    splits = own.splits(fraction=args.subsample, run=args.run, with_rationales=args.model_type != "standard")
    LOG.info("rows: %d to train on, %d to validate, %d to test", *map(len, splits))
    for name, report in own.reports.items():
        LOG.info("%s of %s: accuracy %.2f %%, %.2f %% readable", args.llm, name, 100 * report["accuracy"],
                 100 * report["parse_rate"])  # fmt: skip
    if args.keep == "best" and not splits.valid:
        raise UserError("--keep best: needs validation rows, and there are none; use --keep last")
    loaded = _load(args)
    check_labels(loaded.tokenizer, [row["label"] for row in (*splits.train, *splits.test)])
    from scripts.step_by_step.cuts import CutReport
    from scripts.step_by_step.training import train_student

    settings = _train_settings(args)
    names = {**LIMITS, "gen_max_len": "--max_target_length"} if args.model_type == "single_task" else LIMITS
    cuts = CutReport(names, counted=int(args.model_type != "single_task"))
    with TrainingOutput(args.output_dir, _saved(args)) as output, TrainingProgress() as progress:
        result = train_student(
            loaded, splits, settings, seed=args.run, checkpoints=output.checkpoints, progress=progress, cuts=cuts
        )
        if args.keep == "best":
            loaded.model.load_state_dict(result.best_state)
        too_long = {"too_long": cuts.found} if cuts.found else {}
        facts = {"settings": settings.given(), "teacher": own.reports, **too_long, "kept": args.keep}
        log = None if args.no_log else result.history
        output.finish(loaded, {**result.metrics, **facts}, result.predictions, log)
    last, best = result.metrics["test_accuracy_last"], result.metrics["test_accuracy_selected"]
    chosen = f", at the step that was best on validation rows {100 * best:.2f} %" if best is not None else ""
    LOG.info("test accuracy: last step %.2f %%%s (n = %d)", 100 * last, chosen, result.metrics["n_test"])
    LOG.info("saved: %s (model, metrics.json, predictions.jsonl)", args.output_dir)


def longest_answer(args: argparse.Namespace) -> int:
    """Return the most tokens of an answer: the original's flag counts the start token; single_task adds reasons."""
    longest = args.gen_max_len - 1
    return max(longest, args.max_target_length) if args.model_type == "single_task" else longest


def _saved(args: argparse.Namespace) -> dict[str, Any]:
    """Return what prediction needs to know of a training run, and how it was started."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(one) for one in value]
        return str(value) if isinstance(value, Path) else value

    flags = {name: plain(value) for name, value in vars(args).items()}
    return {
        name: flags[name] for name in sorted(flags) if name not in ("device", "threads", "local_rank", "output_dir")
    }


def _load(args: argparse.Namespace) -> Any:
    from scripts.step_by_step.student_models import load_student

    loaded = load_student(args.from_pretrained, method=args.model_type, device=args.device, threads=args.threads)
    if args.parallelize:
        from scripts.step_by_step.parallelize import spread_layers

        loaded = spread_layers(loaded)
    return loaded


def check_labels(tokenizer: Any, labels: Sequence[str]) -> None:
    """Say how many labels hold text that the tokenizer has no token for: a student can never write them.

    T5's vocabulary lacks braces and angle brackets, for example. Raises `UserError` if all labels do.
    """
    unknown = tokenizer.unk_token_id
    bad = [label for label in labels if unknown in tokenizer(label, add_special_tokens=False)["input_ids"]]
    if unknown is None or not bad:
        return
    fault = (
        f"{len(bad)} of {len(labels)} labels hold characters or words that the tokenizer lacks (such as {bad[0]!r:.60})"
    )
    if len(bad) == len(labels):
        raise UserError(f"--from_pretrained: {fault}; reword the labels or take another model")
    LOG.warning("--from_pretrained: %s; the model can never write them", fault)


if __name__ == "__main__":
    run()
