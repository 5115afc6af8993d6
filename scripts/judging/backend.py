"""Which judge to ask, as the config says it: an endpoint, a local model, or the comparison with a reference answer."""

from __future__ import annotations

from scripts.judging.judge import Judge, Template, Writer, WritingJudge
from scripts.judging.settings import JudgeBackend

OPENAI_URL = "https://api.openai.com/v1"
JUDGE_BATCH = 8  # answers a local judge reads at a time; the verdicts do not depend on it


def make_judge(
    settings: JudgeBackend,
    *,
    device: str,
    threads: int,
    pair_template: Template | None = None,
    grade_template: Template | None = None,
) -> Judge:
    """Return the judge that the settings name; the templates are what a judge that writes is asked.

    The reference judge grades on the scale of `grade_template`, or on MT-Bench's without one.
    """
    if settings.backend == "reference":
        from scripts.judging.reference import ReferenceJudge

        return ReferenceJudge(grade_template.lowest, grade_template.highest) if grade_template else ReferenceJudge()
    if settings.backend == "openai":
        from scripts.judging.endpoint import EndpointSettings, EndpointWriter

        endpoint = EndpointSettings(
            base_url=settings.base_url or OPENAI_URL,
            model=settings.model,
            key_variable=settings.key_variable,
            temperature=0.0,
            max_tokens=settings.max_new_tokens,
            timeout_s=settings.timeout_s,
            attempts=settings.attempts,
            parallel=settings.parallel,
            price_in=settings.price_in,
            price_out=settings.price_out,
            parameters=settings.parameters,
        )
        writer: Writer = EndpointWriter(endpoint, settings.cache)
    else:
        from scripts.judging.local import LocalWriter
        from scripts.lm.load import load_model

        loaded = load_model(settings.model, device=device, threads=threads)
        writer = LocalWriter(
            loaded, name=settings.model, max_new_tokens=settings.max_new_tokens, batch_size=JUDGE_BATCH
        )
    return WritingJudge(writer, pair_template=pair_template, grade_template=grade_template)
