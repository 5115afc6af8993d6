"""A stand-in for conda: answers the calls that Snakemake makes, and builds each environment from its YAML's pip list.

`install` puts it on a path. It shows what a YAML lacks as a real conda does, because an environment holds what its YAML
names and nothing else; it does not solve for packages outside the Python index.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[1]
ANSWERS = {
    ("info", "--json"): {"platform": "linux-64"},
    ("config", "--get", "channel_priority", "--json"): {"get": {"channel_priority": "strict"}},
}


def install(folder: Path) -> Path:
    """Write `bin/conda` and `bin/activate` into `folder`; return the folder to put first on PATH."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    conda = programs / "conda"
    conda.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{Path(__file__).resolve()}' '{folder}' \"$@\"\n")
    conda.chmod(0o755)
    (programs / "activate").write_text('export PATH="$1/bin:$PATH" CONDA_PREFIX="$1"\n')
    return programs


def main(prefix: str, words: list[str]) -> None:
    """Answer one call. Ends with an error for a call that is not known."""
    if words == ["--version"]:
        sys.stdout.write("conda 25.0.0\n")
    elif tuple(words) in ANSWERS:
        sys.stdout.write(json.dumps({"conda_prefix": prefix, **ANSWERS[tuple(words)]}))
    elif words[:2] == ["env", "create"]:
        parser = argparse.ArgumentParser()
        parser.add_argument("--file", type=Path, required=True)
        parser.add_argument("--prefix", type=Path, required=True)
        args, _ = parser.parse_known_args(words[2:])
        sys.path.insert(0, str(REPO_ROOT))
        from scripts.common.environments import read_environment
        from scripts.make_venv import build

        build(args.prefix, read_environment(args.file))
    elif words[:1] != ["clean"]:
        sys.exit(f"stand-in conda: unknown call: {' '.join(words)}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
