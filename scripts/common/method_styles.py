"""How each method looks and is called in every figure and table: a colour, a marker, a title. Without matplotlib."""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from typing import Mapping


@dataclass(frozen=True)
class MethodStyle:
    """How one method looks in every figure: its colour, marker, line style and printed name."""

    color: str
    marker: str
    linestyle: str
    label: str


# Ways of choosing have theirs in `scripts.selection.methods`, which adds them here (`add_styles`).
# Hues of Okabe and Ito and of Paul Tol's "muted" scheme, told apart under the common colour-vision deficiencies; the
# marker tells them apart in black and white too. Reference points are black and grey, a paper's own method has one hue.
_METHODS: dict[str, tuple[str, str, str]] = {
    # what every paper compares with
    "base": ("#9a9a9a", "o", "base model"),
    "initial": ("#9a9a9a", "o", "base model"),
    "zero_shot": ("#9a9a9a", "o", "zero-shot"),
    "full": ("#000000", "s", "full data"),
    # NUGGETS
    "nuggets": ("#0072b2", "o", "NUGGETS"),
    "top": ("#0072b2", "o", "NUGGETS, highest scores"),
    "bottom": ("#d55e00", "v", "NUGGETS, lowest scores"),
    "mean_gain": ("#a65e2e", "D", "mean gain"),
    "kmeans": ("#332288", "s", "k-means"),
    # DELIFT
    "delift": ("#d55e00", "s", "DELIFT"),
    "delift_se": ("#e69f00", "^", "DELIFT (SE)"),
    "delift_fl": ("#a65e2e", "<", "DELIFT, FL only"),
    # Distilling Step-by-Step
    "distilling_step_by_step": ("#0072b2", "o", "Distilling Step-by-Step"),
    "standard_finetuning": ("#d55e00", "s", "standard fine-tuning"),
    "standard_distillation": ("#e69f00", "^", "standard distillation"),
    "single_task": ("#cc79a7", "v", "single-task training"),
    "few_shot_cot": ("#666666", "X", "few-shot CoT"),
    "pinto": ("#009e73", "P", "PINTO tuning"),
    # MEND
    "mend": ("#009e73", "o", "MEND"),
    "mend_random": ("#009e73", "o", "MEND of random texts"),
    "mend_ddg": ("#332288", "D", "MEND of DDG's texts"),
    "icl": ("#000000", "s", "in-context learning"),
    "vanilla_icl": ("#000000", "s", "in-context learning"),
    "metaicl": ("#332288", "^", "MetaICL"),
    "prompt_tuning": ("#e69f00", "v", "prompt tuning"),
    "hyper_tuning": ("#cc79a7", "D", "HyperTuning"),
    # DDG and DiLM
    "ddg": ("#cc79a7", "o", "DDG"),
    "dilm": ("#332288", "D", "DiLM"),
    "vanilla_lm": ("#e69f00", "^", "vanilla LM"),
    "k_centers": ("#882255", "h", "K-centers"),
    "bm25": ("#999933", "<", "BM25"),
    "self_icl": ("#117733", "d", "self-written"),
    "knn": ("#56b4e9", ">", "nearest neighbours"),
}
_FALLBACK_COLORS = ("#332288", "#44aa99", "#999933", "#aa4499", "#56b4e9", "#a65e2e", "#117733")
_FALLBACK_MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "h")
_THRESHOLD = re.compile(r"(gt|le)_(\d+(?:\.\d+)?)")
# Light to dark, all visible on white: subsets above a rising threshold, and subsets at or below one.
_ABOVE_SCALE = ("#9ecae1", "#6baed6", "#3f90c5", "#2171b5", "#08519c", "#08306b")
_BELOW_SCALE = ("#8c2d04", "#d55e00", "#fd8d3c")
_THRESHOLD_MARKERS = ("o", "^", "D", "s", "P", "h")


def add_styles(styles: Mapping[str, tuple[str, str, str]]) -> None:
    """Make the colours, markers and titles known that a registry on a higher floor holds, by name.

    Raises ValueError for a name that looks otherwise already: a name looks the same in every figure.
    """
    for name, style in styles.items():
        if _METHODS.setdefault(name, style) != style:
            raise ValueError(f"{name}: has the style {_METHODS[name]} already, not {style}")
    method_style.cache_clear()


@functools.cache
def method_style(method: str) -> MethodStyle:
    """Return the fixed style of a method; an unknown name gets one derived from the name alone, the same every time.

    `gt_0.8` and `le_0.5` (score above, at most) take a shade by their threshold; `kmeans_40` looks like `kmeans`.
    """
    threshold = _THRESHOLD.fullmatch(method)
    if threshold:
        return _threshold_style(threshold.group(1), float(threshold.group(2)))
    if method in _METHODS:
        color, marker, label = _METHODS[method]
        return MethodStyle(color, marker, "-", label)
    stem, _, number = method.rpartition("_")
    if stem in _METHODS and re.fullmatch(r"\d+(\.\d+)?", number):
        color, marker, label = _METHODS[stem]
        return MethodStyle(color, marker, "-", f"{label}, {number}")
    digest = hashlib.sha256(method.encode()).digest()
    return MethodStyle(
        _FALLBACK_COLORS[digest[0] % len(_FALLBACK_COLORS)],
        _FALLBACK_MARKERS[digest[1] % len(_FALLBACK_MARKERS)],
        "-",  # never dashed: that is how published values look
        method.replace("_", " "),
    )


def _threshold_style(side: str, threshold: float) -> MethodStyle:
    scale = _ABOVE_SCALE if side == "gt" else _BELOW_SCALE
    # Above: the papers' range 0.5 to 0.9 spans the scale (0.85 has a shade of its own); outside it the ends hold.
    edges = (0.55, 0.65, 0.75, 0.825, 0.875) if side == "gt" else (0.34, 0.67)
    step = sum(threshold > edge for edge in edges)
    marker = _THRESHOLD_MARKERS[step] if side == "gt" else "v"
    return MethodStyle(scale[step], marker, "-", f"score {'>' if side == 'gt' else '≤'} {threshold:g}")


def method_label(method: str) -> str:
    """Return the printed name of a method."""
    return method_style(method).label
