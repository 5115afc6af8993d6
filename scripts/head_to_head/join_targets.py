"""Put the rows for which every method chooses into one file: the query set of a pair and its validation rows.

DELIFT's mutual information reads both by its own formula; NUGGETS asks them as anchors, LESS takes their gradients. So
no method knows more of the goal than another.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_jsonl
from scripts.data.schemas import read_examples


def joined(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of all files, each id led by its file's name."""
    return [
        {**row, "id": f"{Path(path).stem} {row['id']}"} for path in paths for row in read_examples(path, "instruction")
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Join the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True, nargs="+", help="instruction rows (JSON lines)")
    parser.add_argument("--targets-out", required=True, help="JSON lines: all of them")
    args = parser.parse_args(argv)
    write_jsonl(args.targets_out, joined(args.rows))


if __name__ == "__main__":
    run_step(main)
