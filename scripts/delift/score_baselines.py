"""Score the pool for the baselines that ask the model: SelectIT, LESS and IFD (DELIFT, section 4).

One job loads the model once for all of them; a baseline whose settings are null is left out. Higher scores are chosen
first. Definitions: `scripts.selection.selectit`, `scripts.selection.less`, `scripts.lm.difficulty`.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_csv, write_json
from scripts.common.seeding import generator
from scripts.common.settings import parse_settings, settings_of
from scripts.data.schemas import read_examples
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.prompts import Prompt, fill

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)

COLUMNS = ("id", "selectit", "less", "ifd")
RELEASED_PASSES = 3  # requests that the released SelectIT draws for the whole pool
ROWS_AT_ONCE = 512  # bounds memory on large pools


@dataclasses.dataclass(frozen=True)
class SelectItSettings:
    """rating_prompts: several wordings of the request to rate; template: the whole text, with `{rating_prompt}`,
    `{prompt}` and `{response}`; ratings: answers from worst to best, one token each; alpha: weight of the disagreement.
    released: score as DELIFT's released code does, by three requests that are drawn for the whole pool.
    """

    rating_prompts: Sequence[str]
    template: str
    ratings: Sequence[str]
    alpha: float
    released: bool = False

    def __post_init__(self) -> None:
        for place in ("{rating_prompt}", "{prompt}", "{response}"):
            if place not in self.template:
                raise UserError(f"selectit.template: has no place {place}; put it in")
        if not self.rating_prompts or len(self.ratings) < 2:
            raise UserError("selectit: give at least one rating prompt and two ratings")


@dataclasses.dataclass(frozen=True)
class LessSettings:
    """dimension, seed: of the random projection; the rest: `scripts.lm.gradients.WarmupSettings`."""

    dimension: int
    warmup_fraction: float
    epochs: int
    learning_rate: float
    batch_size: int
    lora_rank: int
    lora_alpha: float
    lora_dropout: float
    max_tokens: int


@dataclasses.dataclass(frozen=True)
class BaselineSettings:
    """prompt: templates of an example; selectit, less: their settings or null; ifd: whether to score it.

    seed: of LESS, and of SelectIT as released.

    batch_tokens: tokens of one forward pass (speed and memory only).
    """

    prompt: Mapping[str, Any]
    selectit: Mapping[str, Any] | None
    less: Mapping[str, Any] | None
    ifd: bool
    seed: int
    batch_tokens: int


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="instruction rows (JSON lines)")
    parser.add_argument("--validation", required=True, help="what LESS is to become good at, in the same form")
    add_model_flags(parser)
    parser.add_argument("--settings", required=True, help="JSON: the fields of BaselineSettings")
    parser.add_argument("--scores-out", required=True, help=f"CSV: {', '.join(COLUMNS)}")
    parser.add_argument("--run-out", required=True, help="JSON: seconds that each baseline took")
    return parser.parse_args(argv)


def score_selectit(
    loaded: LoadedModel, rows: Sequence[Mapping[str, str]], prompt: Prompt, settings: Any
) -> Sequence[float | None]:
    """Return SelectIT's score of each row; as released only the first fifth of the rows has one."""
    import numpy as np

    from scripts.lm.ratings import rating_ids, rating_probabilities
    from scripts.selection.selectit import released_selectit_scores, selectit_scores

    choice = settings_of(SelectItSettings, settings.selectit, "--settings: selectit")
    end = choice.template[choice.template.rindex("}") + 1 :]
    tokens = rating_ids(loaded, choice.ratings, end or "\n")
    requests = list(choice.rating_prompts)
    if choice.released:
        drawn = generator(settings.seed, "delift", "rating prompts").integers(len(requests), size=RELEASED_PASSES)
        requests = [requests[place] for place in drawn]
    parts = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        texts = [
            fill(choice.template, rating_prompt=request, prompt=prompt.query(row), response=prompt.response(row))
            for row in part
            for request in requests
        ]
        found = rating_probabilities(loaded, texts, tokens, settings.batch_tokens)
        parts.append(found.reshape(len(part), len(requests), len(tokens)))
        logger.info("SelectIT: %d of %d rows", start + len(part), len(rows))
    if choice.released:
        return released_selectit_scores(np.concatenate(parts), choice.alpha)
    return selectit_scores(np.concatenate(parts), choice.alpha).tolist()


def score_less(
    loaded: LoadedModel,
    rows: Sequence[Mapping[str, str]],
    validation: Sequence[Mapping[str, str]],
    prompt: Prompt,
    settings: Any,
) -> list[float]:
    """Return LESS' influence of each row on the validation set (one subtask)."""
    from scripts.lm.gradients import WarmupSettings, warmup_gradients
    from scripts.selection.less import RandomSigns, influence_scores

    choice = settings_of(LessSettings, settings.less, "--settings: less")
    warmup = dataclasses.asdict(choice)
    dimension = warmup.pop("dimension")
    pairs, wanted = ([(prompt.query(row), prompt.response(row)) for row in part] for part in (rows, validation))
    checkpoints = warmup_gradients(
        loaded,
        pairs,
        wanted,
        WarmupSettings(**warmup),
        settings.seed,
        lambda n_weights: RandomSigns(n_weights, dimension, settings.seed),
    )
    train, valid, rates = zip(*((one.train, one.validation, one.rate) for one in checkpoints))
    return influence_scores(train, valid, ["validation"] * len(wanted), rates).tolist()


def score_ifd(
    loaded: LoadedModel, rows: Sequence[Mapping[str, str]], prompt: Mapping[str, Any], batch_tokens: int
) -> list[float | None]:
    """Return the instruction-following difficulty of each row, None for an empty answer."""
    from scripts.lm.difficulty import DifficultySettings, score_difficulty

    scored = score_difficulty(loaded, rows, DifficultySettings(prompt=prompt, batch_tokens=batch_tokens))
    return [row["ifd"] for row in scored]


def main(argv: Sequence[str] | None = None) -> None:
    """Score the pool and write table and times."""
    args = parse_args(argv)
    settings = parse_settings(BaselineSettings, args.settings)
    prompt = Prompt.from_config(settings.prompt)
    rows, validation = (read_examples(path, "instruction") for path in (args.pool, args.validation))
    from scripts.lm.load import load_model

    loaded = load_model(**model_options(args))
    prompt = prompt.of(loaded.tokenizer)
    ways = {
        "ifd": lambda: score_ifd(loaded, rows, settings.prompt, settings.batch_tokens),
        "selectit": lambda: score_selectit(loaded, rows, prompt, settings),
        "less": lambda: score_less(loaded, rows, validation, prompt, settings),  # last: it puts adapters in and out
    }
    columns: dict[str, Sequence[float | None]] = {}
    seconds = {}
    for name, score in ways.items():
        columns[name] = [None] * len(rows)
        if getattr(settings, name):
            begin = time.perf_counter()
            columns[name] = score()
            seconds[name] = round(time.perf_counter() - begin, 3)
    table = [
        {
            "id": row["id"],
            **{name: "" if values[i] is None else f"{values[i]:.9g}" for name, values in columns.items()},
        }
        for i, row in enumerate(rows)
    ]
    write_csv(args.scores_out, table, COLUMNS)
    write_json(args.run_out, {"seconds": seconds, "n_pool": len(rows)})


if __name__ == "__main__":
    run_step(main)
