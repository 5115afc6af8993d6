"""Write the raw files of the synthetic corpus: the mini tier's stand-in for downloads.

The formats are those of the real data sets (Alpaca, AlpacaEval, MT-Bench, tab-separated task files), so that everything
behind the download runs as it does on real data. Equal seeds and sizes give equal bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from scripts.common.errors import run_step
from scripts.common.files import write_json, write_jsonl, write_text
from scripts.common.settings import parse_settings
from scripts.data.synthetic import Corpus, CorpusSettings
from scripts.data.synthetic_words import build_world


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, help="sizes and shares, one JSON object (synthetic.CorpusSettings)"
    )
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--pool-out", required=True, type=Path, help="instruction pool, Alpaca's JSON")
    parser.add_argument(
        "--truth-out", required=True, type=Path, help="known quality of each row of the pool, JSON lines"
    )
    parser.add_argument("--anchor-pool-out", required=True, type=Path, help="clean examples, Alpaca's JSON")
    parser.add_argument("--alpaca-eval-out", required=True, type=Path, help="benchmark, AlpacaEval's JSON")
    parser.add_argument("--mt-bench-question-out", required=True, type=Path, help="questions, MT-Bench's JSON lines")
    parser.add_argument(
        "--mt-bench-reference-out", required=True, type=Path, help="gold answers, MT-Bench's JSON lines"
    )
    parser.add_argument("--tasks-out", required=True, type=Path, help="folder for {task}/{train,dev,test}.tsv")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Generate the corpus and write its files."""
    args = parse_args(argv)
    corpus = Corpus(build_world(), parse_settings(CorpusSettings, args.settings), args.seed)
    write_json(args.pool_out, corpus.pool())
    write_jsonl(args.truth_out, corpus.truth())
    write_json(args.anchor_pool_out, corpus.anchor_pool())
    write_json(args.alpaca_eval_out, corpus.alpaca_eval())
    write_jsonl(args.mt_bench_question_out, corpus.mt_bench_questions())
    write_jsonl(args.mt_bench_reference_out, corpus.mt_bench_references())
    for task in corpus.tasks():
        for split in ("train", "dev", "test"):
            lines = (f"{text}\t{label}\n" for text, label in corpus.task_rows(task, split))
            write_text(args.tasks_out / task.name / f"{split}.tsv", "".join(lines))


if __name__ == "__main__":
    run_step(main)
