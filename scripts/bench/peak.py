"""Peak memory of this process, and of a fresh one that scores a stream of candidates."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path


def peak_mib(n_candidates: int) -> float:
    """Return the peak resident memory, in MiB, of a fresh process that scores `n_candidates` prefixes."""
    command = [sys.executable, "-m", "scripts.bench.memory", "--candidates", str(n_candidates)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["peak_mib"])


def own_peak_mib() -> float:
    """Return this program's peak resident memory in MiB.

    Linux' `ru_maxrss` would do, but it begins with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
