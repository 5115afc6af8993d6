"""What `make test` leaves to `make test-all`: more of a kind that is tested already, or longer than a coffee."""

from __future__ import annotations

import os

import pytest

LONG = pytest.mark.skipif("THRIFT_LONG" not in os.environ, reason="takes long: make test-all")
