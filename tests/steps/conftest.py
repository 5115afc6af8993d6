"""Every figure that a step writes in these tests is laid out properly."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.common import figures
from tests.figure_layout import faults


@pytest.fixture(autouse=True)
def laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse a figure with a text that is cut off or covered, or with an interval beyond its panel."""
    write = figures.save_figure

    def checked(figure: Any, *given: Any, **paths: Any) -> None:
        assert faults(figure) == []
        write(figure, *given, **paths)

    monkeypatch.setattr(figures, "save_figure", checked)
