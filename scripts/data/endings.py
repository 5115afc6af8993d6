"""What names of files with rows end in: asked by the registry and by plans, which read no rows."""

from __future__ import annotations

ENDINGS = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
}
"""Ending of a file's name (without that of its packing) -> the form of its rows."""
PACKED_ENDINGS = ("", ".gz", ".zst", ".bz2", ".xz", ".zip")
"""Endings of packed files, in the order in which they are looked for; plain first."""
