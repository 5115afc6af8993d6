"""Turn one raw file (or its parts), in whatever upstream format, into canonical examples (JSON lines) of one split."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.registry_settings import PrepareSettings
from scripts.common.step_parser import StepParser
from scripts.data.preparing import reading_of, sample
from scripts.data.readers import read_raw
from scripts.data.schemas import write_examples

LOG = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = StepParser(description=__doc__)
    parser.add_argument(
        "--raw",
        required=True,
        nargs="+",
        type=Path,
        help="the upstream file, packed or not, or its parts in their order",
    )
    parser.add_argument("--references", type=Path, help="reference answers, only for MT-Bench")
    parser.add_settings(PrepareSettings)
    parser.add_argument("--examples-out", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, sample, write."""
    args = parse_args(argv)
    settings: PrepareSettings = args.settings
    rows = read_raw(args.raw, settings.reader, settings.schema_, references=args.references, **reading_of(settings))
    kept = sample(rows, settings.limit, settings.seed or 0)
    write_examples(args.examples_out, kept, settings.schema_)
    LOG.info("%s: %d of %d examples of schema %s", args.examples_out, len(kept), len(rows), settings.schema_)


if __name__ == "__main__":
    run_step(main)
