"""Settings of the warm-up in which LESS takes its gradients (`scripts.lm.gradients`)."""

from __future__ import annotations

from scripts.common.fields import Settings, setting


class WarmupSettings(Settings):
    """LESS' warm-up: adapters trained on a part of the pool, with a checkpoint after each epoch."""

    warmup_fraction: float = setting(
        "share of the pool that warms the adapters up",
        source="LESS: 0.05",
        unit="share, 0 to 1",
        gt=0,
        le=1,
    )
    epochs: int = setting("epochs of the warm-up, each with a checkpoint", source="LESS: 4", unit="epochs", ge=1)
    learning_rate: float = setting("of the warm-up", source="LESS: 2e-5", gt=0)
    batch_size: int = setting("of the warm-up", source="LESS: 32", ge=1)
    lora_rank: int = setting("rank of the warm-up's adapters", source="LESS: 128", ge=1)
    lora_alpha: float = setting("numerator of their scale", source="LESS: 512", gt=0)
    lora_dropout: float = setting(
        "dropout probability before them",
        source="LESS: 0.1",
        unit="share, 0 to 1",
        ge=0,
        lt=1,
    )
    max_tokens: int = setting("longest example in tokens", source="LESS: 2048", unit="tokens", ge=2)
