"""Demonstrations that a language model writes for itself, after Self-ICL (Chen et al., 2023): a baseline without data.

Behind the prompt's instruction the model writes texts as a demonstration would begin, gives each the label that it
finds likeliest without demonstrations, and is then shown the outcome like any other set.

# DEVIATION: Self-ICL writes anew for every query; here the queries of a task share what was written.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Sequence

from scripts.common.errors import UserError
from scripts.common.seeding import derive_seed
from scripts.ddg.distilled import TextSet
from scripts.ddg.prompting import Prompt
from scripts.ddg.settings_steps import WritingSettings

if TYPE_CHECKING:
    from scripts.ddg.in_context import Reader

logger = logging.getLogger(__name__)

NEW_LINE = "\n"  # what stands before an example where the tokenizer has no end of text


def write_demonstrations(
    reader: Reader, prompt: Prompt, columns: Sequence[str], names: Sequence[str], settings: WritingSettings, seed: int
) -> TextSet:
    """Return what the model writes and how it labels it: different texts, in the order of writing.

    Raises `UserError` if it writes nothing but empty texts.
    """
    head = prompt.head(names, instruct=True)  # without examples nothing else tells the labels
    written = write_texts(reader, prompt, head, columns, settings, settings.per_class * len(names), seed)
    texts = list(dict.fromkeys(text for text in written if all(text)))
    if not texts:
        raise UserError("self-written demonstrations: the model writes empty texts only; leave the method out for it")
    queries = [prompt.unanswered(columns, text) for text in texts]
    scores = reader.label_scores(reader.extend(head), queries, prompt.answer, names, "sum")
    labels = [int(place) for place in scores.argmax(axis=1)]
    logger.info(
        "seed %d: %d texts written, %d of them whole and different, labelled %s; the first: %s",
        seed, len(written), len(texts), dict(Counter(names[label] for label in labels)), texts[0],
    )  # fmt: skip
    return TextSet(tuple(columns), tuple(texts), tuple(labels))


def write_texts(
    reader: Reader,
    prompt: Prompt,
    head: str,
    columns: Sequence[str],
    settings: WritingSettings,
    n_texts: int,
    seed: int,
) -> list[tuple[str, ...]]:
    """Return `n_texts` texts, one string a column, each column written behind those before it."""
    from scripts.lm.generate import generate

    nothing = reader.loaded.tokenizer.eos_token or NEW_LINE  # documents begin behind the end of another
    begun, parts = [head] * n_texts, []
    for number, (lead, ends) in enumerate(prompt.openings(columns)):
        begun = [text + lead for text in begun]
        found = generate(
            reader.loaded,
            [text.rstrip(" ") or nothing for text in begun],
            max_new_tokens=settings.max_tokens,
            batch_size=settings.batch_size,
            stop=ends,
            temperature=settings.temperature,
            seed=derive_seed(seed, "ddg", "self written", number),
        )
        parts.append([" ".join(text.split()) for text in found])
        begun = [before + text for before, text in zip(begun, parts[-1])]
    return list(zip(*parts))
