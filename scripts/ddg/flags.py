"""The flags that tell DDG's steps where and how a model computes."""

from __future__ import annotations

import argparse


def add_compute_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where and how a model computes."""
    parser.add_argument("--dtype", required=True, help="of matrix products: auto, float32, bfloat16 or float16")
    add_device_flags(parser)


def add_device_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where a model computes, for steps that do so in float32."""
    parser.add_argument("--device", required=True, help="auto, cpu or cuda")
    parser.add_argument("--threads", required=True, type=int, help="CPU threads of torch")
