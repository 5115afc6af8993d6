"""Ask a language model for reasons and labels with a few-shot chain-of-thought prompt (paper, section 3.1).

The raw answers are written as the released ones are, a JSON list of texts, so that prepare_examples reads both alike.
Answers are kept on disk by what was asked, so a run that ends early goes on where it was and pays for nothing twice.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import logging
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from scripts.common.errors import UserError, run_step
from scripts.common.files import read_json, to_json, write_json
from scripts.common.seeding import derive_seed
from scripts.common.step_parser import StepParser
from scripts.data.schemas import read_examples
from scripts.step_by_step.equations import correct_rows
from scripts.step_by_step.parsing import FAULTS, find_format, parse
from scripts.step_by_step.prompts import FewShotPrompt, load_prompt
from scripts.step_by_step.settings_rows import ExtractSettings

LOG = logging.getLogger(__name__)

KEPT_TOGETHER = 64  # answers of a local model in one file of the cache
BATCH_SIZE = 8  # answers of a local model written side by side, where nothing is said


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = StepParser(description=__doc__)
    parser.add_argument(
        "--questions", required=True, type=Path, help="rows of schema distillation; their input is asked"
    )
    parser.add_argument(
        "--prompt", required=True, type=Path, help="exemplars, e.g. config/prompts/step_by_step/cqa.yaml"
    )
    parser.add_settings(ExtractSettings)
    parser.add_argument("--cache", required=True, type=Path, help="folder in which answers are kept")
    parser.add_argument("--answers-out", required=True, type=Path, help="raw answers, a JSON list of texts")
    parser.add_argument("--report-out", required=True, type=Path, help="how many could be read, JSON")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the questions, ask, write the answers and how many of them can be read."""
    args = parse_args(argv)
    settings: ExtractSettings = args.settings
    rows = read_examples(args.questions, "distillation")[: settings.limit]
    prompt = load_prompt(args.prompt, settings.format, settings.n_exemplars)
    ask = ask_endpoint if settings.backend == "openai" else ask_local
    answers = ask(prompt, [row["input"] for row in rows], settings, args.cache)
    write_json(args.answers_out, answers)
    write_json(args.report_out, report_of(answers, rows, settings.format))


def report_of(answers: Sequence[str], rows: Sequence[Mapping[str, Any]], format_name: str) -> dict[str, Any]:
    """Return how many answers can be read, of what the others suffer, and how many labels are right."""
    read = [parse(text, format_name, "strict") for text in answers]
    faults = {fault: sum(one.fault == fault for one in read) for fault in FAULTS}
    n_read = len(read) - sum(faults.values())
    metric, told = find_format(format_name).metric, [one.label for one in read]
    right = correct_rows(metric, told, [row["label"] for row in rows], "ignored")  # labels read strictly have no blanks
    level = logging.WARNING if n_read < len(read) / 2 else logging.INFO
    LOG.log(level, "%d of %d answers can be read, %d are right", n_read, len(read), sum(right))
    return {
        "n": len(read),
        "n_read": n_read,
        "parse_rate": n_read / len(read),
        "faults": faults,
        "n_correct": sum(right),
        "accuracy": sum(right) / len(read),
    }


def ask_endpoint(prompt: FewShotPrompt, inputs: Sequence[str], settings: ExtractSettings, cache: Path) -> list[str]:
    """Return an endpoint's answers; each is cached by its request."""
    from scripts.judging.endpoint import EndpointSettings, EndpointWriter
    from scripts.judging.judge import Prompt

    values = {"key_variable": "", "timeout_s": 60.0, "attempts": 5, **settings.endpoint.given()}
    values["parameters"] = {"stop": list(prompt.stop), **values.get("parameters", {})}
    endpoint = EndpointSettings(max_tokens=settings.max_new_tokens, temperature=_temperature(settings), **values)
    asked = [Prompt(prompt.prefix + prompt.ask(text), prompt.system) for text in inputs]
    return [_before_stop(text, prompt.stop) for text in EndpointWriter(endpoint, cache).write(asked)]


def _temperature(settings: ExtractSettings) -> float:
    """Return how boldly tokens are drawn; 0.0, the likeliest, where nothing is said."""
    return settings.temperature or 0.0


def _before_stop(text: str, stop: Sequence[str]) -> str:
    """Return an answer up to the first stop string, for endpoints that refuse to stop there themselves."""
    return text[: min((text.index(one) for one in stop if one in text), default=len(text))]


def ask_local(prompt: FewShotPrompt, inputs: Sequence[str], settings: ExtractSettings, cache: Path) -> list[str]:
    """Return a local model's answers, cached in files of some answers each; the model is loaded when needed."""
    questions = [prompt.ask(text) for text in inputs]
    answers: list[str] = []
    write: Callable[[Sequence[str], int], list[str]] | None = None
    for start in range(0, len(questions), KEPT_TOGETHER):
        part = questions[start : start + KEPT_TOGETHER]
        file = _cache_file(cache, prompt, part, settings, start)
        if file.is_file():
            kept = read_json(file)
            if not isinstance(kept, list) or len(kept) != len(part) or not all(isinstance(text, str) for text in kept):
                raise UserError(f"{file}: not cached answers; remove the file and run again")
        else:
            write = write or _local_writer(prompt, settings)
            kept = write(part, _drawing_seed(settings, start))
            write_json(file, kept)
        answers += kept
        LOG.info("%d of %d questions answered", len(answers), len(questions))
    return answers


def _cache_file(
    cache: Path, prompt: FewShotPrompt, questions: Sequence[str], settings: ExtractSettings, start: int
) -> Path:
    """Return the cache file of some questions: named by everything their answers depend on."""
    drawn = {"seed": _drawing_seed(settings, start)} if _temperature(settings) > 0 else {}
    about = {
        "model": settings.model,
        "dtype": settings.dtype,
        "max_new_tokens": settings.max_new_tokens,
        "temperature": _temperature(settings),
        "prompt": dataclasses.asdict(prompt),
        "questions": list(questions),
        **drawn,
    }
    name = hashlib.sha256(to_json(about).encode()).hexdigest()
    return cache / name[:2] / f"{name}.json"


def _drawing_seed(settings: ExtractSettings, start: int) -> int:
    """Return the seed of the answers kept in one file: each has its own, so that no two files draw alike."""
    return derive_seed(settings.seed or 0, "step_by_step", "rationales", start)


def _local_writer(prompt: FewShotPrompt, settings: ExtractSettings) -> Callable[[Sequence[str], int], list[str]]:
    """Load the model and return what answers questions: behind the shared examples, or in a chat model's form."""
    from scripts.judging.judge import Prompt
    from scripts.judging.local import prompt_text
    from scripts.lm.generate import generate
    from scripts.lm.load import load_model

    loaded = load_model(settings.model, dtype=settings.dtype, device=settings.device, threads=settings.threads)
    options: dict[str, Any] = {
        "max_new_tokens": settings.max_new_tokens,
        "batch_size": settings.batch_size or BATCH_SIZE,
        "stop": prompt.stop,
        "temperature": _temperature(settings),
    }
    chat = bool(getattr(loaded.tokenizer, "chat_template", None))

    def write(questions: Sequence[str], seed: int) -> list[str]:
        if chat:
            texts = [prompt_text(loaded, Prompt(prompt.prefix + one, prompt.system))[0] for one in questions]
            return generate(loaded, texts, special=False, seed=seed, **options)
        return generate(loaded, questions, shared_prefix=prompt.prefix or None, seed=seed, **options)

    return write


if __name__ == "__main__":
    run_step(main)
