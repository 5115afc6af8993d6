"""What the scorer knows of architectures: which it scores the fast way, how far layers see, how long a text may be."""

from __future__ import annotations

from typing import Any

from scripts.common.errors import UserError
from scripts.lm.load import context_window

# Each is compared with a plain reference in the tests.
CAUSAL_TYPES = (
    "gemma2",
    "gemma3_text",
    "gpt2",
    "gpt_neox",
    "granite",
    "llama",
    "mistral",
    "olmo2",
    "opt",
    "phi3",
    "qwen2",
    "qwen3",
)
PLAIN_HEAD_TYPES = tuple(kind for kind in CAUSAL_TYPES if not kind.startswith("gemma"))  # logits without a cap
ENCODER_DECODER_TYPES = ("t5",)
# What an architecture may have beyond the plain layers, because the scorer minds it.
CAPS = ("final_logit_softcapping", "attn_logit_softcapping")
MINDED = {
    "gemma2": ("sliding_window", *CAPS),
    "gemma3_text": ("sliding_window", *CAPS),
    "granite": ("logits_scaling",),
    "mistral": ("sliding_window",),
    "phi3": ("sliding_window",),
    "qwen2": ("sliding_window",),
    "qwen3": ("sliding_window",),
}
SLIDING_ALWAYS = ("mistral", "phi3")  # in all layers; the others say it by layer


def unknown_trait(config: Any) -> str:
    """Return what of an architecture the fast way is not known to be right for, in words; empty if it is.

    Raises `UserError` for models that do not predict the next token from those before it alone.
    """
    kind = config.model_type
    if getattr(config, "add_cross_attention", False) and not config.is_encoder_decoder:
        raise UserError(f"model type '{kind}': a decoder with cross-attention cannot be scored alone")
    if getattr(config, "use_bidirectional_attention", None):
        raise UserError(f"model type '{kind}': its tokens see later ones, so it predicts none; take a causal model")
    known = ENCODER_DECODER_TYPES if config.is_encoder_decoder else CAUSAL_TYPES
    if kind not in known:
        return (
            f"model type '{kind}' is none that the scorer knows ({', '.join((*CAUSAL_TYPES, *ENCODER_DECODER_TYPES))})"
        )
    for key in ("sliding_window", *CAPS, "logit_scale", "logits_scaling"):
        if getattr(config, key, None) is not None and key not in MINDED.get(kind, ()):
            return f"model type '{kind}' with {key} {getattr(config, key)} is not known to the scorer"
    return ""


def sliding_layers(config: Any) -> tuple[int | None, frozenset[int]]:
    """Return how many tokens back the tokens of some layers see, themselves included, and which layers these are."""
    reach = getattr(config, "sliding_window", None)
    if not reach:
        return None, frozenset()
    kinds = getattr(config, "layer_types", None)
    if config.model_type in SLIDING_ALWAYS or not kinds:
        return reach, frozenset(range(config.num_hidden_layers))
    return reach, frozenset(at for at, kind in enumerate(kinds) if kind == "sliding_attention")


def scoring_window(config: Any) -> int:
    """Return the most tokens of context that can be scored.

    With "longrope" (Phi-3 128k) all positions change their scale in a text longer than the original window: a prefix
    that was run before would not fit its continuation, so that window is the limit.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return context_window(config)
    return min(context_window(config), int(rope["original_max_position_embeddings"]))
