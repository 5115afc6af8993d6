"""DELIFT's interactive page, opened in a real browser: no fault, controls that change the picture, points to read."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from scripts.common.errors import UserError
from scripts.delift.render_viewer import main, script_json
from tests.browser import Page, find_chromium, open_page
from tests.unit.delift_small import N_TEST, NASTY, make_run, quality, viewer_arguments

POINT = """(() => {{
  const plot = document.getElementById("{plot}"), trace = plot.data[{trace}], layout = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return [box.left + layout._size.l + layout.xaxis.d2p(trace.x[{index}]),
          box.top + layout._size.t + layout.yaxis.d2p(trace.y[{index}])];
}})()"""


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("viewer")
    main(viewer_arguments(make_run(folder), folder / "viewer.html"))
    return folder / "viewer.html"


@pytest.fixture(scope="module")
def page(viewer: Path) -> Iterator[Page]:
    find_chromium()
    with open_page(viewer) as opened:
        yield opened


def names(page: Page, plot: str) -> list[str]:
    """Return the legend of a picture."""
    return page.run(f'document.getElementById("{plot}").data.map(trace => trace.name)')


def known(pair: str, method: str, threshold: float) -> int:
    return sum(quality(pair, method, 0, i) >= threshold for i in range(N_TEST))


def test_it_shows_what_is_known_before_and_after(page: Page) -> None:
    assert names(page, "before")[1] == f"known ({known('first', 'initial', 0.7)})"
    assert names(page, "after")[1] == f"known ({known('first', 'delift', 0.7)})"
    assert names(page, "subset") == ["left out", "chosen"]
    gains = page.run('document.getElementById("subset").data[1].marker.color')
    assert gains == [round(1 / (i + 1), 5) for i in range(6)]


def test_the_utility_changes_the_picture(page: Page) -> None:
    page.choose("utility", "random")
    assert names(page, "after")[1] == f"known ({known('first', 'random', 0.7)})"
    assert "random" in page.run('document.getElementById("after-title").textContent')
    page.choose("utility", "delift")
    assert names(page, "after")[1] == f"known ({known('first', 'delift', 0.7)})"


def test_the_threshold_and_the_score_change_the_picture(page: Page) -> None:
    page.choose("threshold", "0.05")
    assert names(page, "before")[1] == f"known ({N_TEST})"
    page.choose("measure", "judge_score")
    assert page.run('document.getElementById("threshold").max') == "5"
    page.choose("measure", "rouge_1")
    assert names(page, "before")[1] == f"known ({known('first', 'initial', 0.7)})"


def test_a_clicked_point_shows_its_text_as_text(page: Page) -> None:
    """Test row 1 was answered with markup, row 0 asks it: both must be read, not run."""
    place = page.run('document.getElementById("before").data[1].customdata.findIndex(point => point[1] === 1)')
    page.click(*page.run(POINT.format(plot="before", trace=1, index=place)))
    cells = page.run('[...document.querySelectorAll("#selected tbody td")].map(cell => cell.textContent)')
    assert cells[1:4] == ["t1", "say 1", "reference 1"]
    assert cells[4] == NASTY
    assert cells[5] == "0.900"
    assert page.run("document.title") == "DELIFT viewer"
    assert page.run('document.querySelectorAll("#selected script, #selected b").length') == 0


def test_another_dataset_brings_its_own_views(page: Page) -> None:
    page.choose("new", "b/train")
    assert page.run('document.getElementById("existing").value') == "b/query"
    assert names(page, "after")[1] == f"known ({known('second', 'delift', 0.7)})"
    page.run('document.getElementById("tab-gain").click()')
    shown = page.run('[...document.querySelectorAll("#gain-plots figcaption")].map(title => title.textContent)')
    assert shown[:4] == [
        "Conditional gain by size",
        "Conditional gain at 30 %",
        "Mutual information by size",
        "Mutual information at 30 %",
    ]
    sizes = page.run('document.getElementById("curve-conditional_gain").data[0].x')
    assert sizes == [5, 10, 30]  # DELIFT's picking order is cut to smaller sizes
    page.choose("size", "10")
    assert page.run('document.getElementById("bars-conditional_gain").data[0].y') == ["DELIFT"]
    page.run('document.getElementById("tab-map").click()')
    assert names(page, "map") == ["new data (pool): 20", "existing data: 5", "test set: 12"]


def test_the_experiments_can_be_found_and_sorted(page: Page) -> None:
    page.run('document.getElementById("tab-experiments").click()')
    assert page.run('document.querySelectorAll("#experiments tbody tr").length') == 8
    page.choose("find", "second delift")
    assert page.run('document.querySelectorAll("#experiments tbody tr").length') == 1
    page.choose("find", "first")
    sort = '[...document.querySelectorAll("#experiments thead button")].find(b => b.textContent === "ROUGE-1").click()'
    page.run(sort)
    column = '[...document.querySelectorAll("#experiments tbody tr")].map(row => row.cells[3].textContent)'
    assert page.run(column) == ["full data", "DELIFT", "random", "base model"]


def test_nothing_went_wrong_and_nothing_was_fetched(page: Page) -> None:
    """Last, so that it has seen all of the above."""
    assert page.faults == []


def test_the_same_run_gives_the_same_page(viewer: Path, tmp_path: Path) -> None:
    main(viewer_arguments(make_run(tmp_path), tmp_path / "viewer.html"))
    assert (tmp_path / "viewer.html").read_bytes() == viewer.read_bytes()


def test_data_cannot_end_the_script_element() -> None:
    written = script_json({"text": NASTY + "\u2028"})
    assert not set("<>&\u2028") & set(written)


def test_a_map_of_other_data_is_refused(tmp_path: Path) -> None:
    flags = make_run(tmp_path)
    maps = Path(flags["maps"])
    maps.write_text(maps.read_text().replace('"t3"', '"t99"'))
    with pytest.raises(UserError, match="'t99' is no row of the test set"):
        main(viewer_arguments(flags, tmp_path / "viewer.html"))
