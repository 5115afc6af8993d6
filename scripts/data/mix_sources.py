"""Mix rows of several data sets into one pool, and draw a goal from one of them (`scripts.data.mixing`).

Raw files in Alpaca's form, each row with its source. Equal seeds and settings give equal bytes.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_json, write_jsonl
from scripts.common.step_parser import StepParser
from scripts.data.mixing import mix, truth
from scripts.data.schemas import read_examples
from scripts.data.settings_mixed import MixSettings

LOG = logging.getLogger(__name__)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = StepParser(description=__doc__)
    parser.add_argument(
        "--rows", required=True, nargs="+", help="JSONL, schema instruction: all splits of all parts in their order"
    )
    parser.add_settings(MixSettings)
    parser.add_argument("--pools-out", required=True, type=Path, help="folder: {part}.json, {part}_truth.jsonl")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, mix, write."""
    args = parse_args(argv)
    settings: MixSettings = args.settings
    wanted = [(part.source, split) for part in settings.parts for split in part.splits]
    if len(args.rows) != len(wanted):
        raise UserError(f"--rows: {len(args.rows)} files for {len(wanted)} splits in --settings; give one for each")
    rows: dict[str, list[dict[str, str]]] = {}
    for (source, split), path in zip(wanted, args.rows):
        own = [{**row, "id": f"{split} {row['id']}"} for row in read_examples(path, "instruction")]
        rows.setdefault(source, []).extend(own)
    for part, mixed in mix(rows, settings).items():
        write_json(args.pools_out / f"{part}.json", mixed)
        write_jsonl(args.pools_out / f"{part}_truth.jsonl", truth(mixed, settings.goal))
        LOG.info("%s: %d rows", part, len(mixed))


if __name__ == "__main__":
    run_step(main)
