"""Merge files of measured values, of one paper or of all, into one file in the long metrics schema."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.metrics import read_merged, write_metrics


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", nargs="*", required=True, type=Path, help="files of measured values")
    parser.add_argument("--metrics-out", required=True, type=Path, help="all of them in one CSV")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the files, check them, write them as one."""
    args = parse_args(argv)
    write_metrics(args.metrics_out, read_merged(args.metrics))


if __name__ == "__main__":
    run_step(main)
