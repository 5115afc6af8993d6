"""thrift: teach a language model more with less of one's own data.

    thrift check POOL            what was read: form, rows, lengths, duplicates, empty answers
    thrift choose POOL           the best rows, by any way of choosing
    thrift compare POOL          is the choice better than a random one? fine-tunes, tests, says so
    thrift write POOL            texts for each class, by DDG or DiLM
    thrift compress ROWS         demonstrations as vectors (MEND); thrift answer asks behind them
    thrift distill ...           Distilling Step-by-Step: the command distillm
    thrift reproduce TARGET      a table or figure of the five papers; without TARGET the menu

`thrift COMMAND --help` says more. Ctrl-C stops a run; the same command goes on where it was.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Sequence

from scripts.common.errors import UserError, did_you_mean, run_step
from scripts.own import checking, choosing, comparing, compressing, reproducing, writing
from scripts.step_by_step import distillm

COMMANDS = {
    "check": checking.main,
    "choose": choosing.main,
    "compare": comparing.main,
    "write": writing.main,
    "compress": compressing.compress,
    "answer": compressing.answer,
    "distill": distillm.main,
    "reproduce": reproducing.main,
}


SPEAKING = ("check", "choose", "compare", "write", "reproduce")
"""Commands that say themselves what is read and done; the others are steps, whose log is what they say."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that is the first word."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write((__doc__ or "") + "\n")
        return
    command = words.pop(0)
    if command not in COMMANDS:
        raise UserError(f"thrift {command}: unknown command{did_you_mean(command, list(COMMANDS))}; see thrift --help")
    COMMANDS[command](words)


def run() -> None:
    """Entry point of the console command."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if len(sys.argv) > 1 and sys.argv[1] in SPEAKING:
        logging.basicConfig(level=logging.ERROR)
    run_step(main)


if __name__ == "__main__":
    run()
