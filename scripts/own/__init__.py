"""The front door: what the command `thrift` does, as functions for a notebook. See docs/own_data.md."""

from scripts.own.checking import check
from scripts.own.choosing import choose
from scripts.own.comparing import compare

__all__ = ["check", "choose", "compare"]
