"""Write the synthetic pools of DELIFT's three stages as raw files in Alpaca's form (`scripts.data.synthetic_pools`).

Equal seeds and sizes give equal bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_json, write_jsonl
from scripts.common.settings import parse_settings
from scripts.data.synthetic_pools import STAGES, Pools, PoolSettings
from scripts.data.synthetic_words import build_world


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: synthetic_pools.PoolSettings")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument(
        "--pools-out", required=True, type=Path, help="folder: stage_{n}/{part}.json, {part}_truth.jsonl"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Generate the pools and write their files."""
    args = parse_args(argv)
    settings = parse_settings(PoolSettings, args.settings)
    for stage in STAGES:
        pools = Pools(build_world(), settings, stage, args.seed)
        for part in pools.parts:
            write_json(args.pools_out / f"stage_{stage}" / f"{part}.json", pools.rows(part))
            write_jsonl(args.pools_out / f"stage_{stage}" / f"{part}_truth.jsonl", pools.truth(part))


if __name__ == "__main__":
    run_step(main)
