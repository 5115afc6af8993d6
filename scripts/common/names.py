"""How data sets, models, settings and metrics are called in words, in figures and on the report page.

The names in the measured values are slugs, which are also wildcards of file names; a reader is shown words. A slug
without an entry is read word by word, so that what a user adds has a readable name without one.
"""

from __future__ import annotations

import re

_WHOLE = {
    # models
    "llama_7b": "LLaMA-7B",
    "llama2_7b": "Llama-2-7B",
    "opt_2_7b": "OPT-2.7B",
    "gpt2_xl": "GPT-2 XL",
    "gpt2_large": "GPT-2 large",
    "palm": "PaLM-540B",
    "neox": "GPT-NeoX",
    "qwen2_72b_or_phi3_mini": "Qwen2-72B or Phi-3-mini",
    "phi3_mini_128k_instruct": "Phi-3-mini",
    "mini": "mini model",
    "mini_mean": "mini encoder, mean pooling",
    "mini_causal": "mini language model",
    "mini_t5": "mini T5",
    "mini_t5_small": "mini T5, small",
    "not_stated": "model not stated",
    # data sets and settings
    "mini_generic": "Synthetic patient records",
    "mini_cqa": "Synthetic two-choice questions",
    "mini_nli": "Synthetic premises and hypotheses",
    "mini_svamp": "Synthetic word problems",
    "mini_pool": "the synthetic pool",
    "mini_stage_1": "Stage 1, synthetic",
    "mini_stage_2": "Stage 2, synthetic",
    "mini_stage_3": "Stage 3, synthetic",
    "cqa": "CommonsenseQA",
    "esnli": "e-SNLI",
    "anli1": "ANLI, round 1",
    "svamp": "SVAMP",
    "sst2": "SST-2",
    "qqp": "QQP",
    "mnli": "MNLI",
    "hr_to_lr": "HR to LR",
    "mix_instruct": "MixInstruct",
    "alpaca_gpt4": "Alpaca-GPT4",
    "alpaca_gpt4_bad_scores": "Alpaca-GPT4, released low scores",
    "non_class_to_class": "non-classification to classification",
    "class_to_class": "classification to classification",
    "self_instruct": "Self-Instruct",
    "oasst": "Open Assistant",
    "first_token": "scored by the first token",
    "full": "all data",
    "all": "all",
    # methods that no figure draws, so that they have no style
    "icl_channel": "in-context learning, channel",
    "metaicl_channel": "MetaICL, channel",
    "zero_shot_channel": "zero-shot, channel",
    "mend_vs_vanilla_icl": "MEND against in-context learning",
    "dilm_no_dms": "DiLM without diverse mini-batches",
    "dilm_no_rt": "DiLM without representative teacher",
    "dilm_no_selection": "DiLM without selection",
    "tdd_embedding": "TDD, embeddings",
    "tdd_text": "TDD, texts",
    "distilling_step_by_step_neox": "Distilling Step-by-Step, GPT-NeoX as teacher",
    "delift_vs_full": "DELIFT against all data",
    "delift_vs_baselines": "DELIFT against the other methods",
    "delift_vs_next_best": "DELIFT against the next best",
    # metrics
    "score_percent": "score (%)",
    "test_accuracy_percent": "test accuracy (%)",
    "accuracy_percent": "accuracy (%)",
    "smallest_share_percent": "smallest sufficient share of the rows (%)",
    "alpaca_eval_win_rate_percent": "AlpacaEval win rate (%)",
    "mt_bench_score_1_to_10": "MT-Bench grade (1 to 10)",
    "answer_length_chars": "length of an answer (characters)",
    "n_examples": "number of examples",
    "max_flops_reduction_percent": "operations saved, at most (%)",
    "max_inference_speedup_percent": "time saved, at most (%)",
    "max_data_reduction_percent": "data saved, at most (%)",
    "max_gain_percent": "gain, at most (%)",
    "relative_drop_percent": "relative loss (%)",
    "relative_gain_percent": "relative gain (%)",
}
_WORDS = {
    **dict.fromkeys(("qa", "nli", "bert", "lm", "t5"), str.upper),
    "roberta": lambda _: "RoBERTa",
    "xlnet": lambda _: "XLNet",
    "qwen2": lambda _: "Qwen2",
    "koala": str.capitalize,
    "vicuna": str.capitalize,
    "alpaca": str.capitalize,
    "stem": str.upper,
}
_NUMBERED = (
    (re.compile(r"dpc_(\d+)"), "{} texts a class"),
    (re.compile(r"round_(\d+)"), "{} texts a class in the prompt"),
    (re.compile(r"percent_(\d+)"), "{} % of the pool"),
    (re.compile(r"t5_v1_1_(\w+)"), "T5 v1.1 {}"),
    (re.compile(r"(\w+)_(train|valid|test)"), "{}, {} rows"),
)
_SLUG = re.compile(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b")


def in_words(slug: str) -> str:
    """Return a data set, model, setting or metric as a reader is shown it; the parts of a setting joined by commas."""
    return ", ".join(_part(part) for part in slug.split("/"))


def text_in_words(text: str) -> str:
    """Return a text in which names that have an entry here, or are a part of one that has, stand in words."""
    return _SLUG.sub(lambda found: in_words(found[0]) if known(found[0]) or _is_part(found[0]) else found[0], text)


def known(slug: str) -> bool:
    """Tell whether a name has an entry of its own here."""
    return slug in _WHOLE


def _is_part(slug: str) -> bool:
    """Tell whether a slug names the rows of a split of a data set that has an entry."""
    return slug.rpartition("_")[2] in ("train", "valid", "test") and known(slug.rpartition("_")[0])


def _part(slug: str) -> str:
    if slug in _WHOLE:
        return _WHOLE[slug]
    for pattern, words in _NUMBERED:
        found = pattern.fullmatch(slug)
        if found:
            return words.format(*(in_words(group) if not group.isdecimal() else group for group in found.groups()))
    return " ".join(_WORDS[word](word) if word in _WORDS else word for word in slug.split("_"))
