"""Score the pool for the baselines that ask the model: SelectIT, LESS and IFD (DELIFT, section 4).

One job loads the model once for all of them; a baseline whose settings are null is left out. Higher scores are chosen
first. Definitions: `scripts.selection.selectit`, `scripts.selection.less`, `scripts.lm.difficulty`.
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import TYPE_CHECKING, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import write_csv, write_json
from scripts.common.seeding import generator
from scripts.common.step_parser import StepParser
from scripts.data.schemas import read_examples
from scripts.delift.settings_choose import BaselineSettings, Less, SelectIt
from scripts.lm.flags import add_model_flags, model_options
from scripts.lm.prompts import Prompt, fill

if TYPE_CHECKING:
    from scripts.lm.load import LoadedModel

logger = logging.getLogger(__name__)

COLUMNS = ("id", "selectit", "less", "ifd")
RELEASED_PASSES = 3  # requests that the released SelectIT draws for the whole pool
ROWS_AT_ONCE = 512  # bounds memory on large pools


PLACES = ("{rating_prompt}", "{prompt}", "{response}")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the step's flags."""
    parser = StepParser(description=__doc__)
    parser.add_argument("--pool", required=True, help="instruction rows (JSON lines)")
    parser.add_argument("--validation", required=True, help="what LESS is to become good at, in the same form")
    add_model_flags(parser)
    parser.add_settings(BaselineSettings)
    parser.add_argument("--scores-out", required=True, help=f"CSV: {', '.join(COLUMNS)}")
    parser.add_argument("--run-out", required=True, help="JSON: seconds that each baseline took")
    return parser.parse_args(argv)


def check_places(selectit: SelectIt) -> None:
    """Raise `UserError` for a template of SelectIT without one of its places."""
    for place in PLACES:
        if place not in selectit.template:
            raise UserError(f"selectit.template: has no place {place}; put it in")


def score_selectit(
    loaded: LoadedModel,
    rows: Sequence[Mapping[str, str]],
    prompt: Prompt,
    settings: BaselineSettings,
    choice: SelectIt,
) -> Sequence[float | None]:
    """Return SelectIT's score of each row; as released only the first fifth of the rows has one."""
    import numpy as np

    from scripts.lm.ratings import rating_ids, rating_probabilities
    from scripts.selection.selectit import released_selectit_scores, selectit_scores

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
    choice: Less,
    seed: int,
) -> list[float]:
    """Return LESS' influence of each row on the validation set (one subtask)."""
    from scripts.lm.gradients import warmup_gradients
    from scripts.selection.less import RandomSigns, influence_scores

    pairs, wanted = ([(prompt.query(row), prompt.response(row)) for row in part] for part in (rows, validation))
    checkpoints = warmup_gradients(
        loaded,
        pairs,
        wanted,
        choice,
        seed,
        lambda n_weights: RandomSigns(n_weights, choice.dimension, seed),
    )
    train, valid, rates = zip(*((one.train, one.validation, one.rate) for one in checkpoints))
    return influence_scores(train, valid, ["validation"] * len(wanted), rates).tolist()


def score_ifd(loaded: LoadedModel, rows: Sequence[Mapping[str, str]], settings: BaselineSettings) -> list[float | None]:
    """Return the instruction-following difficulty of each row, None for an empty answer."""
    from scripts.lm.difficulty import DifficultySettings, score_difficulty

    chosen = DifficultySettings(prompt=settings.prompt, batch_tokens=settings.batch_tokens)
    scored = score_difficulty(loaded, rows, chosen)
    return [row["ifd"] for row in scored]


def main(argv: Sequence[str] | None = None) -> None:
    """Score the pool and write table and times."""
    args = parse_args(argv)
    settings: BaselineSettings = args.settings
    if settings.selectit:
        check_places(settings.selectit)
    prompt = Prompt.from_config(settings.prompt.given())
    rows, validation = (read_examples(path, "instruction") for path in (args.pool, args.validation))
    from scripts.lm.load import load_model

    loaded = load_model(**model_options(args))
    prompt = prompt.of(loaded.tokenizer)
    ways = {
        "ifd": lambda: score_ifd(loaded, rows, settings),
        "selectit": lambda: score_selectit(loaded, rows, prompt, settings, settings.selectit),
        # Last: it puts adapters in and out.
        "less": lambda: score_less(loaded, rows, validation, prompt, settings.less, settings.seed),
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
