"""Turn one raw file (or its parts), in whatever upstream format, into canonical examples (JSON lines) of one split."""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path
from typing import Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.seeding import generator
from scripts.common.settings import parse_settings
from scripts.data.readers import read_raw
from scripts.data.schemas import write_examples

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PrepareSettings:
    """How the file is read (a row of config/datasets.yaml) and how many examples are kept (`limit`; None keeps all)."""

    reader: str
    schema: str
    columns: Mapping[str, str]
    labels: Sequence[str] | None
    header: Sequence[str] | None
    task: str | None
    limit: int | None
    seed: int
    delimiter: str | None = None
    quoting: str | None = None
    turns: str | None = None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--raw",
        required=True,
        nargs="+",
        type=Path,
        help="the upstream file, packed or not, or its parts in their order",
    )
    parser.add_argument("--references", type=Path, help="reference answers, only for MT-Bench")
    parser.add_argument("--settings", required=True, help="JSON: scripts.data.registry.prepare_settings")
    parser.add_argument("--examples-out", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, sample, write."""
    args = parse_args(argv)
    settings = parse_settings(PrepareSettings, args.settings)
    rows = read_raw(
        args.raw,
        settings.reader,
        settings.schema,
        columns=settings.columns,
        labels=settings.labels,
        header=settings.header,
        task=settings.task or "",
        references=args.references,
        delimiter=settings.delimiter,
        quoting=settings.quoting,
        turns=settings.turns,
    )
    kept = sample(rows, settings.limit, settings.seed)
    write_examples(args.examples_out, kept, settings.schema)
    LOG.info("%s: %d of %d examples of schema %s", args.examples_out, len(kept), len(rows), settings.schema)


def sample(rows: Sequence[dict[str, Any]], limit: int | None, seed: int) -> list[dict[str, Any]]:
    """Return `limit` rows drawn without replacement, in the file's order; all rows if there are no more than that.

    Raises `UserError` for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UserError(f"limit: is {limit}; give a number from 1 on, or null for all rows")
    if limit is None or limit >= len(rows):
        return list(rows)
    chosen = generator(seed, "sub-sample").permutation(len(rows))[:limit]
    return [rows[number] for number in sorted(chosen)]


if __name__ == "__main__":
    run_step(main)
