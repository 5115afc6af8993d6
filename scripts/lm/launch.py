"""Start a step in several processes on this machine, one for each GPU: --processes N -m <step> <the step's own flags>.

torch's launcher does the work. It listens on a free port, so that two jobs may share a machine, and what it says of a
process that failed is left out: the last line in the log is the step's own.
"""

from __future__ import annotations

import logging
import sys
from typing import Sequence

from scripts.common.errors import UserError, run_step


def main(argv: Sequence[str] | None = None) -> None:
    """Start the processes and wait for their end; exits with 1 if one of them failed."""
    words = list(sys.argv[1:] if argv is None else argv)
    if len(words) < 4 or words[0] != "--processes" or not words[1].isdigit() or words[2] != "-m":
        raise UserError("usage: python -m scripts.lm.launch --processes N -m <step> <the step's own flags>")
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        run.run(run.parse_args(["--standalone", "--nproc_per_node", *words[1:]]))
    except ChildFailedError:
        sys.exit(1)


if __name__ == "__main__":
    run_step(main)
