"""Let a model learn from each chosen subset and answer the test set (DELIFT, section on experiments).

One job serves several subsets and all their seeds. `icl`: the nearest chosen examples stand before each test prompt;
`peft`, `fft`: the model is fine-tuned with adapters, or wholly. A unit is `<method>/percent_<n>`; without a folder of
subsets it is the model as it is. What the model learns beside every subset (stage 3: the data at hand) is given apart.
What is finished rests in the checkpoint folder, under a name made of everything it depends on, until the job is done: a
job that is killed and started again does only what is missing.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np

from scripts.common.checksums import check_beside, sha256_of, write_beside
from scripts.common.errors import UserError, run_step
from scripts.common.files import numbered_jsonl, read_jsonl, read_text, to_json, whole_folder, write_json, write_jsonl
from scripts.common.progress import Progress
from scripts.common.seeding import derive_seed, seed_all
from scripts.common.step_parser import StepParser
from scripts.common.tensors import read_embeddings
from scripts.data.schemas import read_examples, validate
from scripts.delift.learning import (
    LEARNINGS,
    answers_after,
    check_shots,
    engine_settings,
    likelihood_after,
    nearest_examples,
    prompt_room,
    shortened,
    shot_prompt,
    train_on,
)
from scripts.delift.settings_learn import EvaluateSettings
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.prompts import Prompt
from scripts.lm.shards import digest_of_code

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Unit:
    """One subset to learn from: its name `<method>/percent_<n>`, and the chosen rows by seed."""

    name: str
    rows: Mapping[int, Sequence[Mapping[str, Any]]]


class Evaluation:
    """What all units of a job share: the model, the test set, how to learn and to answer."""

    def __init__(self, args: argparse.Namespace, settings: EvaluateSettings) -> None:
        self.learning: str = args.learning
        self.model = model_options(args)
        check_shots(settings.shots)
        self.prompt = Prompt.from_config(settings.prompt.given()).of_model(self.model["source"])
        self.shots, self.finetune, self.generate = settings.shots, settings.finetune, settings.generate
        self.batch_tokens = settings.batch_tokens
        self.test = read_examples(args.test, "instruction")
        self.base: LoadedModel | None = None
        self.known_likelihoods: dict[tuple[str, ...], list[tuple[float, int]]] = {}
        self.engine = engine_of(self.model)
        beside = read_examples(args.beside, "instruction") if args.beside else []
        self.beside = [{**row, "id": f"beside {row['id']}"} for row in beside]
        if self.learning == "icl":
            pool = read_examples(_needed(args.pool, "--pool"), "instruction")
            self.pool = [*pool, *self.beside]
            self.place = {row["id"]: index for index, row in enumerate(self.pool)}
            vectors = [read_embeddings(_needed(args.embeddings, "--embeddings"), _ids(pool), args.pool)]
            if beside:
                path = _needed(args.beside_embeddings, "--beside-embeddings")
                vectors.append(read_embeddings(path, _ids(beside), args.beside))
            self.vectors = np.concatenate(vectors)
            self.queries = read_embeddings(_needed(args.queries, "--queries"), _ids(self.test), args.test)

    def base_model(self) -> LoadedModel:
        """Return the model as it is, loaded once."""
        from scripts.lm.load import load_model

        if self.base is None:
            self.base = load_model(**self.model)
        return self.base

    def run(self, rows: Sequence[Mapping[str, Any]], seed: int) -> list[dict[str, Any]]:
        """Learn from the rows and what stands beside them; return an answer per test row, in their order."""
        seed_all(seed)
        rows = [*rows, *self.beside]
        if self.learning == "icl":
            loaded = self.base_model()
            prompts, shown = self._prompts_with_shots(loaded, rows)
        else:
            settings = engine_settings(self.finetune, self.model["dtype"])
            pairs = [(self.prompt.query(row), self.prompt.response(row)) for row in rows]
            loaded = train_on(self.model, settings, pairs, seed) if pairs else self.base_model()
            room = prompt_room(loaded, self.generate, self.shots.max_tokens)
            prompts = [shortened(loaded, self.prompt.query(row), room) for row in self.test]
            shown = [[] for _ in self.test]
        answers = answers_after(loaded, prompts, self.generate, derive_seed(seed, "delift", "answers"))
        likelihoods = self._likelihoods(loaded, prompts)
        return [
            {"id": row["id"], "answer": answer, "loglik_nats": total, "n_tokens": n, "shots": ids}
            for row, answer, (total, n), ids in zip(self.test, answers, likelihoods, shown)
        ]

    def _likelihoods(self, loaded: LoadedModel, prompts: Sequence[str]) -> list[tuple[float, int]]:
        """Return (log-likelihood in nats, tokens) of each reference answer.

        In context, a method that chooses the same examples for every seed asks the same model the same prompts again.
        """
        known = self.known_likelihoods if loaded is self.base else {}
        if tuple(prompts) not in known:
            references = [self.prompt.response(row) for row in self.test]
            known[tuple(prompts)] = likelihood_after(loaded, prompts, references, self.batch_tokens)
        return known[tuple(prompts)]

    def _prompts_with_shots(
        self, loaded: LoadedModel, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[list[str], list[list[str]]]:
        """Return the prompts and the ids of the examples chosen for each."""
        room = prompt_room(loaded, self.generate, self.shots.max_tokens)
        unknown = [row["id"] for row in rows if row["id"] not in self.place]
        if unknown:
            raise UserError(f"--subsets: example '{unknown[0]}' is not in --pool; choose from that pool again")
        chosen = [self.place[row["id"]] for row in rows]
        near = nearest_examples(self.vectors, self.queries, chosen, self.shots.k) if chosen else [[] for _ in self.test]
        prompts = [
            shot_prompt(loaded, self.prompt, self.shots, row, [self.pool[i] for i in places], room)
            for row, places in zip(self.test, near)
        ]
        return prompts, [[self.pool[i]["id"] for i in places] for places in near]

    def key(self, rows: Sequence[Mapping[str, Any]], seed: int) -> str:
        """Return a hash of everything an answer depends on."""
        parts: dict[str, Any] = {
            "learning": self.learning,
            "engine": self.engine,
            "prompt": dataclasses.asdict(self.prompt),
            "settings": [part.given() for part in (self.shots, self.finetune, self.generate)],
            "batch_tokens": self.batch_tokens,
            "rows": [dict(row) for row in (*rows, *self.beside)],
            "test": [dict(row) for row in self.test],
            "seed": seed,
        }
        if self.learning == "icl":
            parts["vectors"] = [hashlib.sha256(part.tobytes()).hexdigest() for part in (self.vectors, self.queries)]
        return hashlib.sha256(to_json(parts).encode()).hexdigest()[:20]


def engine_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every answer of a job depends on besides data and settings: model files, arithmetic, code, versions.

    model: keywords of `load_model`.
    """
    import torch
    import transformers

    from scripts.lm.load import HUB_FILES, choose_device, choose_dtype, find_model

    folder = find_model(model["source"])
    device = choose_device(model["device"])
    return {
        "model": {path.name: sha256_of(path) for pattern in HUB_FILES for path in folder.glob(pattern)},
        "compute": [str(choose_dtype(model["dtype"], device)), str(device), model["threads"]],
        "code": digest_of_code("scripts/delift/evaluate_subsets.py"),
        "versions": [torch.__version__, transformers.__version__],
    }


def read_unit(name: str, folder: str, seeds: Sequence[int], *, always_trained: bool) -> Unit:
    """Return a unit's chosen rows; the folder "none" is an empty subset.

    The empty subset needs one seed only, unless the model is trained on other rows all the same (`always_trained`).
    """
    method, _, percent = name.partition("/")
    if not method or not percent:
        raise UserError(f"--units: '{name}' is not of the form <method>/percent_<n>")
    if folder == "none":
        return Unit(name, {seed: [] for seed in (seeds if always_trained else seeds[:1])})
    rows = {}
    for seed in seeds:
        path = Path(folder) / percent / f"seed_{seed}.jsonl"
        if not read_text(path).strip():
            rows[seed] = []
            continue
        numbered = numbered_jsonl(path)
        places = [f"{path}:{number}" for number, _ in numbered]
        rows[seed] = validate([row for _, row in numbered], "instruction", path, places)
    return Unit(name, rows)


def evaluate(job: Evaluation, unit: Unit, checkpoints: Path) -> tuple[list[dict[str, Any]], float]:
    """Return the answers of all seeds of one unit, and the seconds that took in this run."""
    answers, start = [], time.perf_counter()
    for seed, rows in unit.rows.items():
        kept = checkpoints / f"{job.key(rows, seed)}.jsonl"
        if not kept.is_file():
            write_jsonl(kept, job.run(rows, seed))
            write_beside(kept)
        else:
            logger.info("%s, seed %d: finished earlier", unit.name, seed)
        check_beside(kept)
        answers += [{"seed": seed, **row} for row in read_jsonl(kept)]
        logger.info("%s, %s, seed %d: %d examples", job.learning, unit.name, seed, len(rows))
    return answers, time.perf_counter() - start


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--learning", required=True, choices=LEARNINGS)
    parser.add_argument("--units", nargs="+", required=True, help="<method>/percent_<n> of each subset")
    parser.add_argument("--subsets", nargs="+", required=True, help="folder of each unit's method, or none")
    parser.add_argument("--seeds", nargs="+", type=int, required=True)
    parser.add_argument("--test", required=True, help="JSONL, schema instruction")
    parser.add_argument("--beside", help="JSONL, schema instruction: what is learnt beside every subset")
    parser.add_argument("--beside-embeddings", help="icl: embeddings of --beside")
    parser.add_argument("--pool", help="icl: JSONL, schema instruction, the pool the subsets were chosen from")
    parser.add_argument("--embeddings", help="icl: embeddings of the pool")
    parser.add_argument("--queries", help="icl: embeddings of the test prompts")
    add_model_flags(parser)
    parser.add_settings(EvaluateSettings, by="learning")
    parser.add_argument("--checkpoints", required=True, help="folder for what a killed job goes on from")
    parser.add_argument("--answers-out", required=True, help="folder: <method>/percent_<n>.jsonl and status.json")
    parser.add_argument("--run-out", required=True, help="JSON: seconds per unit")
    return parser.parse_args(argv)


def _ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def _needed(value: str | None, name: str) -> str:
    if value is None:
        raise UserError(f"{name}: learning in context needs it; give the file")
    return value


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate every unit of the job."""
    args = parse_args(argv)
    if len(args.units) != len(args.subsets):
        raise UserError(f"--subsets: {len(args.subsets)} folders for {len(args.units)} units; give one per unit")
    job = Evaluation(args, args.settings)
    # A folder for each job: two jobs may learn from the same rows, and the first to end clears its own.
    kept = Path(args.checkpoints) / hashlib.sha256(str(args.answers_out).encode()).hexdigest()[:12]
    seconds, status = {}, {}
    with whole_folder(args.answers_out) as folder, Progress(len(args.units), "units", parts=10) as progress:
        for name, subsets in zip(args.units, args.subsets):
            unit = read_unit(name, subsets, args.seeds, always_trained=bool(job.beside))
            answers, seconds[name] = evaluate(job, unit, kept)
            status[name] = {"n_examples": {str(seed): len(rows) for seed, rows in unit.rows.items()}}
            write_jsonl(folder / f"{name}.jsonl", answers)
            progress.advance()
        write_json(folder / "status.json", {"learning": args.learning, "units": status})
    write_json(args.run_out, {"seconds": seconds})
    shutil.rmtree(kept, ignore_errors=True)


if __name__ == "__main__":
    run_step(main)
