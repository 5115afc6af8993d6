"""The command line of distillm: its parser, and what other projects call the same flags.

A flag under another project's name is understood where it means the same; where it does not, one line says what to use.
"""

from __future__ import annotations

import argparse
import logging
from typing import Mapping, NoReturn, Sequence

from scripts.common.errors import UserError, did_you_mean

LOG = logging.getLogger(__name__)

EPOCHS = "training is measured in steps: give --max_steps, that is rows / --batch_size for each epoch"
ANSWERS = "answers are the likeliest words, one after the other; leave it out"
NEW_TOKENS = "give --gen_max_len, which counts the start token too: one more than the tokens of an answer"
COLUMN_SYNONYMS = {
    "--text_column": "--input_column",
    "--source_column": "--input_column",
    "--question_column": "--input_column",
    "--prompt_column": "--input_column",
    "--target_column": "--label_column",
    "--answer_column": "--label_column",
    "--output_column": "--label_column",
    "--reason_column": "--rationale_column",
    "--explanation_column": "--rationale_column",
    "--sep": "--delimiter",
    "--separator": "--delimiter",
    "--field_delimiter": "--delimiter",
}
TRAIN_SYNONYMS = {
    **COLUMN_SYNONYMS,
    "--learning_rate": "--lr",
    "--model": "--from_pretrained",
    "--model_name": "--from_pretrained",
    "--model_name_or_path": "--from_pretrained",
    "--pretrained_model_name_or_path": "--from_pretrained",
    "--base_model": "--from_pretrained",
    "--data": "--data_dir",
    "--data_path": "--data_dir",
    "--dataset_dir": "--data_dir",
    "--dataset_name": "--dataset",
    "--train_data": "--train_file",
    "--train_path": "--train_file",
    "--training_file": "--train_file",
    "--valid_file": "--validation_file",
    "--val_file": "--validation_file",
    "--dev_file": "--validation_file",
    "--test_data": "--test_file",
    "--test_path": "--test_file",
    "--test_size": "--test_share",
    "--train_batch_size": "--batch_size",
    "--per_device_train_batch_size": "--batch_size",
    "--gradient_accumulation_steps": "--grad_steps",
    "--seed": "--run",
    "--max_train_steps": "--max_steps",
    "--steps": "--max_steps",
    "--train_steps": "--max_steps",
    "--evaluation_steps": "--eval_steps",
    "--max_source_length": "--max_input_length",
    "--max_seq_length": "--max_input_length",
    "--max_length": "--max_input_length",
    "--max_rationale_length": "--max_target_length",
    "--generation_max_length": "--gen_max_len",
    "--out": "--output_dir",
    "--out_dir": "--output_dir",
    "--output": "--output_dir",
    "--output_folder": "--output_dir",
    "--optim": "--optimizer_name",
    "--optimizer": "--optimizer_name",
}
"""What others call a flag of training -> ours, of the same meaning."""
TRAIN_HINTS = {
    "--epochs": EPOCHS,
    "--num_epochs": EPOCHS,
    "--num_train_epochs": EPOCHS,
    "--eval_batch_size": "answers are written in batches of --batch_size, 64 at the least; leave it out",
    "--per_device_eval_batch_size": "answers are written in batches of --batch_size, 64 at the least; leave it out",
    "--eval_file": "give --test_file for the rows to test on, --validation_file for those that choose a step",
    "--max_new_tokens": NEW_TOKENS,
    "--fp16": "half precision of this kind is not offered; use --bf16 on a GPU that has it",
    "--warmup_steps": "the learning rate falls from the first step on, as in the original; leave it out",
    "--warmup_ratio": "the learning rate falls from the first step on, as in the original; leave it out",
    "--weight_decay": "there is none, as in the original; leave it out",
    "--logging_steps": "the loss is shown as it goes; --eval_steps says when accuracy is measured",
    "--temperature": ANSWERS,
    "--num_beams": ANSWERS,
    "--lambda": "give --alpha, the weight of labels: 1 / (1 + lambda)",
}
"""Flags of others that have no counterpart of the same meaning -> what to do."""
PREDICT_SYNONYMS = {
    **COLUMN_SYNONYMS,
    "--from_pretrained": "--model",
    "--model_name_or_path": "--model",
    "--model_dir": "--model",
    "--test_file": "--input",
    "--input_file": "--input",
    "--predict_file": "--input",
    "--data": "--input",
    "--file": "--input",
    "--out": "--predictions_out",
    "--output": "--predictions_out",
    "--output_file": "--predictions_out",
    "--predictions": "--predictions_out",
    "--output_rationale": "--rationale",
    "--max_source_length": "--max_input_length",
    "--max_rationale_length": "--max_target_length",
    "--eval_batch_size": "--batch_size",
    "--per_device_eval_batch_size": "--batch_size",
}
PREDICT_HINTS = {
    "--data_dir": "give the file itself as --input",
    "--output_dir": "give the trained folder as --model and the file to write as --predictions_out",
    "--max_new_tokens": NEW_TOKENS,
    "--temperature": ANSWERS,
    "--num_beams": ANSWERS,
}


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of our examples and shows the defaults that say something."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        silent = action.default is None or action.default is False or action.default == argparse.SUPPRESS
        return text if silent or not action.option_strings else f"{text} [%(default)s]"


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong command line in one line, with the flag that was perhaps meant."""

    synonyms: Mapping[str, str] = {}
    hints: Mapping[str, str] = {}

    def error(self, message: str) -> NoReturn:
        """Raise `UserError`: the usage of forty flags would hide the fault."""
        raise UserError(f"{message}; see {self.prog} --help")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the values of the flags, whatever their spelling. Raises `UserError` for an unknown one."""
        args, unknown = self.parse_known_args([self._ours(_underscored(word)) for word in words])
        if unknown:
            flags = [*(name for action in self._actions for name in action.option_strings), *self.synonyms]
            close = did_you_mean(unknown[0].partition("=")[0], flags)
            what = "unknown flag" if unknown[0].startswith("-") else "a word without a flag"
            raise UserError(f"{unknown[0]}: {what}{close}; see {self.prog} --help")
        return args

    def _ours(self, word: str) -> str:
        """Return a flag of another project under the name that it has here."""
        name, equals, value = word.partition("=")
        if name in self.hints:
            raise UserError(f"{name}: {self.hints[name]}; see {self.prog} --help")
        if name not in self.synonyms:
            return word
        LOG.info("%s is %s here", name, self.synonyms[name])
        return self.synonyms[name] + equals + value


def _underscored(word: str) -> str:
    """Return a flag in the spelling of the original: --max-steps is --max_steps."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def add_column_flags(group: argparse._ActionsContainer, shown: str = "") -> None:
    """Add the flags on the columns of one's own rows and the form of their tables; `shown` ends their help."""
    for name, what in (("input", "text to read"), ("label", "label"), ("rationale", "reasons")):
        group.add_argument(f"--{name}_column", metavar="NAME", help=f"column of the {what}{shown or f' [{name}]'}")
    looked_at = shown or " [found by looking]"
    group.add_argument("--delimiter", metavar="D", help=f"of CSV, TSV: a letter, or comma, tab, ...{looked_at}")
    group.add_argument("--quoting", metavar="HOW", help=f'yes or no: whether " encloses cells there{looked_at}')
