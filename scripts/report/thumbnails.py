"""Small pictures of figures for the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

COLOURS = 256  # of a small picture


def write_thumbnails(figures: Mapping[str, tuple[str, float]], folder: Path) -> None:
    """Write small PNGs. figures: {name: (file, scale)}."""
    from PIL import Image

    for name, (file, scale) in figures.items():
        with Image.open(file) as image:
            size = [round(side * scale) for side in image.size]
            small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        with_palette(small).save(folder / f"{name}.png", optimize=True)


def with_palette(image: Any) -> Any:
    """Return a picture in its commonest colours, others as the nearest of them: its file is half as large.

    A figure has few colours, and large areas, such as the methods', keep theirs exactly.
    """
    import numpy as np
    from PIL import Image

    # Not Image.quantize: it looks a colour up by its first bits, so that white becomes nearly white.
    pixels = np.asarray(image, dtype=np.int32).reshape(-1, 3)
    colours, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    palette = colours[np.argsort(-counts, kind="stable")[:COLOURS]]
    nearest = np.abs(colours[:, None] - palette[None]).sum(axis=2).argmin(axis=1)
    small = Image.fromarray(nearest[places.ravel()].astype(np.uint8).reshape(image.height, image.width))
    small.putpalette(palette.ravel().tolist())
    return small
