"""The report page: complete, self-contained, safe against text from data, and working in a real browser."""

from __future__ import annotations

import base64
import json
import re
import shutil
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts.common import plotting
from scripts.common.errors import UserError
from scripts.common.files import write_csv, write_json, write_text
from scripts.common.metrics import PUBLISHED_COLUMNS, metric_row, write_metrics
from scripts.common.spread import spread
from scripts.common.tables import Column, Missing, write_table
from scripts.report import compare_published
from scripts.report.claims import CLAIM_COLUMNS, VERDICTS
from scripts.report.manifest import artifact_title, parse_manifest
from scripts.report.render_report import main, verdict_counts
from scripts.report.run_facts import git_commit
from scripts.report.shown_artifacts import judge
from scripts.report.shown_comparison import comparison_rows, grouped, one_reason
from tests.browser import open_page
from tests.workspace import REPO_ROOT

EVIL = "<script>window.injected=1</script><img src=x onerror=window.injected=2>\"'&amp;{{ 7*7 }}"
METHODS = ("base", "full", "gt_0.8")
DECIDED = ("holds", "holds", "contrary", "not told apart", "not run")
BENCHMARK = "s\th:m:s\tmax_rss\n12.5\t0:00:12\t812.4\n"


def make_results(root: Path, tier: str) -> list[str]:
    """Write the files of one invented run and return the command line that renders them."""
    results = root / "results" / tier
    model = "mini_causal" if tier == "mini" else "llama_7b"
    table = {kind: results / "tables" / f"nuggets_table_1.{kind}" for kind in ("csv", "md", "tex")}
    columns = [
        Column("method", "Method"),
        *(Column(f"group_{i}", f"Group {i}", "spread", "%", 1) for i in range(8)),
        Column("all_published", "All", "published", "%", 2),
    ]
    cells = {f"group_{i}": spread([20.0 + i, 22.0]) for i in range(8)}
    rows = [{"method": method, **cells, "all_published": 25.43} for method in (*METHODS, EVIL)]
    rows[1]["group_0"] = Missing("no example scores above 0.9")
    write_table(rows, columns, **table, caption=f"Win rates {EVIL}", tier=tier)

    empty = {kind: results / "tables" / f"nuggets_table_2.{kind}" for kind in ("csv", "md", "tex")}
    nothing = [{"method": "full", "group": Missing("Not run: no judge"), "all_published": 7.5}]
    some = [columns[0], Column("group", "Group", "spread"), columns[-1]]
    write_table(nothing, some, **empty, caption="Grades", tier=tier)

    figure, axes = plotting.new_figure("double", 1.6)
    plotting.draw_line(axes, [5, 10], [spread([1, 2]), spread([2, 3])], "top")
    files = {kind: results / "figures" / f"nuggets_figure_sizes.{kind}" for kind in ("pdf", "png", "csv")}
    plotting.save_figure(figure, [{"method": EVIL, "anchors": i, "mean": i / 3} for i in range(70)], **files)

    write_metrics(
        results / "metrics.csv",
        [
            metric_row("nuggets", "table_1", "all", model, method, seed, "win_rate_percent", 25 + seed, 805)
            for method in METHODS
            for seed in range(2)
        ],
    )
    published = [("table_1", method, 26.0 if method == "full" else 0.5) for method in (*METHODS, "gt_0.9")]
    published += [("table_9", EVIL, 52002)]
    names = [
        dict(zip(PUBLISHED_COLUMNS, ("nuggets", a, a, "all", "llama_7b", m, "win_rate_percent", v, "", "paper", EVIL)))
        for a, m, v in published
    ]
    write_csv(results / "published.csv", names, PUBLISHED_COLUMNS)
    compare_published.main(
        ["--metrics", str(results / "metrics.csv"), "--published", str(results / "published.csv"), "--tier", tier]
        + ["--tolerances", '{"win_rate_percent": 1}', "--comparison-out", str(results / "comparison.csv")]
    )
    caption = (
        '**What it shows.** Win rate of ``gt_0.8`` in the {{ snakemake.config["tier"] }} tier. Bars: *t*-intervals.'
        + "\n\nEnd "
        + EVIL.replace("{{ 7*7 }}", "")
    )
    write_text(root / "caption.rst", caption)
    write_json(root / "config.json", {"tier": tier, "nuggets": {"seeds": [0, 1], "note": EVIL}})
    write_text(
        root / "envs" / "report.yaml", "dependencies:\n  - python=3.11\n  - pip\n  - pip:\n      - jinja2==3.1.6\n"
    )
    write_text(results / "benchmarks" / "nuggets" / "train_model" / "a.tsv", BENCHMARK)
    benchmark = str(results / "benchmarks" / "nuggets" / "train_model" / "a.tsv")
    jobs = [{"inputs": [], "outputs": [str(table["csv"])], "benchmark": benchmark}]
    jobs += [{"inputs": [str(table["csv"])], "outputs": [str(files["png"])], "benchmark": str(results / "untimed.tsv")}]
    write_json(results / "jobs.json", jobs)
    write_text(root / "docs" / "nuggets.md", f"# NUGGETS\n\n## Deviations\n\n- `top` {EVIL}\n\n## More\n\nnot shown\n")
    write_text(root / "docs" / "mend.md", "# MEND\n\nno such section\n")
    write_text(root / "moves.yaml", "- {paper: nuggets, artifacts: [table_1, table_7], seen: 0.9 on one processor.}\n")
    shutil.copy(files["png"], results / "contact_sheet.png")
    shutil.copy(files["png"], results / "report_claims_nuggets.png")
    told = [(f"c{n}", "nuggets", "Table 1", EVIL, tier, "", *[""] * 6, v, "no judge") for n, v in enumerate(DECIDED)]
    write_csv(results / "claims.csv", [dict(zip(CLAIM_COLUMNS, row)) for row in told], CLAIM_COLUMNS)
    manifest = [
        {"paper": "nuggets", "artifact": artifact, "kind": kind, "files": [str(path) for path in paths.values()]}
        | {"caption": str(root / "caption.rst")}
        for artifact, kind, paths in (
            ("table_1", "table", table),
            ("table_2", "table", empty),
            ("figure_sizes", "figure", files),
        )
    ]
    return [
        *("--tier", tier, "--artifacts", json.dumps(manifest), "--metrics", str(results / "metrics.csv")),
        *("--comparison", str(results / "comparison.csv"), "--config", str(root / "config.json")),
        *("--environments", str(root / "envs" / "report.yaml"), "--benchmarks", str(results / "benchmarks")),
        *("--docs", str(root / "docs" / "nuggets.md"), str(root / "docs" / "mend.md"), "--overview", str(files["png"])),
        *("--contact-sheet", str(results / "contact_sheet.png"), "--claims", str(results / "claims.csv")),
        *("--claim-figures", str(results / "report_claims_nuggets.png"), "--moves", str(root / "moves.yaml")),
        *("--jobs", str(results / "jobs.json"), "--report-out", str(results / "report.html")),
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, tuple[Path, list[str]]]:
    """For each tier a folder with an invented run and the command line that renders it."""
    folders = {tier: tmp_path_factory.mktemp(tier) for tier in ("mini", "paper")}
    return {tier: (folder, make_results(folder, tier)) for tier, folder in folders.items()}


@pytest.fixture(scope="module")
def pages(runs) -> dict[str, Path]:
    pages = {}
    for tier, (folder, command) in runs.items():
        pages[tier] = folder / "page" / "report.html"
        main([*command[:-1], str(pages[tier])])
    return pages


@pytest.fixture
def command(runs, tmp_path) -> list[str]:
    """The command line for a copy, in `tmp_path`, of the paper tier's run."""
    folder, words = runs["paper"]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return [word.replace(str(folder), str(tmp_path)) for word in words]


class Page(HTMLParser):
    """The elements of a page: (tag, attributes) pairs, ids, and the text outside script and style."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.inside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.text += data

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


def test_page_holds_every_artifact_and_every_fact(pages):
    page = Page(pages["paper"])
    for part in (
        "Table 1",
        "Figure: sizes",
        "21.0 ± 1.4",
        "21.5 ± 0.7",
        "¹ no example scores above 0.9",
        "Win rate of gt_0.8 in the paper tier.",
        "10 more rows are in the CSV.",
        git_commit(REPO_ROOT),
        "jinja2==3.1.6",
        "train_model",
        "812",
        "seeds:",
        "Where this deviates from the paper",
        "Not run: no judge.",
    ):
        assert part in page.text, part
    assert "nuggets-table_1" in page.values("id")
    assert "nuggets-figure_sizes" in page.values("id")
    assert page.text.count("What it shows") == 6  # in the overview and above each artifact, not in its caption
    assert "not shown" not in page.text
    assert page.text.count("Where this deviates") == 1


def test_the_page_tells_the_minutes_of_each_artifact(pages):
    text = Page(pages["paper"]).text
    # 12.5 s of a job that was timed; behind the figure is one that was not, behind the second table none.
    assert re.findall(r"((?:≥ )?[\d.]+) minutes of jobs, from scratch", text) == ["0.2", "≥ 0.2"]


def test_the_verdicts_of_all_claims_stand_on_top(pages):
    text = pages["paper"].read_text(encoding="utf-8")
    section = text[text.index('<section id="claims">') : text.index('<section id="overview">')]
    assert re.findall(r'<td class="num">(\d+)</td>', section) == ["2", "1", "1", "1"]
    assert re.findall(r'<th scope="col" class="num">([^<]+)</th>', section) == list(VERDICTS)
    assert "<strong>contrary</strong>: no judge" in section
    assert text.index('<section id="claims">') < text.index('<section id="nuggets"')


def test_comparison_shows_each_published_value_with_its_status(pages):
    rows = [
        attributes["data-status"] for tag, attributes in Page(pages["paper"]).elements if "data-status" in attributes
    ]
    assert rows == ["deviates", "reproduced", "deviates", "not_run", "not_run"]
    text = Page(pages["paper"]).text
    assert "25.5 ± 0.7" in text
    assert "no measurement of win_rate_percent for method gt_0.9 in setting all" in text
    assert "deviates: 2 of 4" in text
    assert "Table 9" in text  # published, but not part of the run


def test_mini_tier_is_stamped_and_compares_nothing(pages):
    mini, paper = Page(pages["mini"]), Page(pages["paper"])
    assert "Mini tier: a synthetic stand-in." in mini.text
    assert "synthetic stand-in" not in paper.text
    assert set(mini.values("data-status")) == {"not_run"}
    assert "NUGGETS, 5 values: the mini tier runs synthetic stand-ins, which are never compared" in mini.text
    assert "mini tier runs a synthetic stand-in with mini language model, not LLaMA-7B" in mini.text
    assert "No printed value could be compared in this run." in mini.text
    assert "not compared" in mini.text


def test_text_from_data_is_shown_as_text(pages):
    page = Page(pages["paper"])
    assert [tag for tag, _ in page.elements if tag in ("script", "style")] == ["style", "script"]
    assert [a for _, a in page.elements if any(name.startswith("on") for name in a)] == []
    assert all(image["src"].startswith("data:image/png;base64,") for tag, image in page.elements if tag == "img")
    # table cell and caption, caption file, figure's CSV, comparison (method, source), configuration
    assert page.text.count("<script>window.injected=1</script>") >= 60
    assert "{{ 7*7 }}" in page.text
    assert "&amp;" in page.text  # an entity in the data stays as it was written


def test_page_loads_nothing_from_elsewhere(pages):
    page = Page(pages["paper"])
    for tag, attributes in page.elements:
        if tag in ("link", "img", "script", "iframe", "source"):
            assert attributes.get("src", "data:").startswith("data:")
            assert tag != "link" or attributes["href"] == "data:,"
    assert "@import" not in pages["paper"].read_text()
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy


def test_links_lead_to_files_and_sections_that_exist(pages):
    for path in pages.values():
        page = Page(path)
        ids, links = page.values("id"), [a["href"] for tag, a in page.elements if tag == "a"]
        assert len(ids) == len(set(ids))
        inner = [link for link in links if link.startswith("#") and not link.startswith("#filter=")]
        assert {link[1:] for link in inner} <= set(ids)
        files = [link for link in links if not link.startswith("#")]
        assert len(files) == 12  # csv, md, tex twice; csv, pdf, png; metrics.csv, comparison.csv; contact sheet
        assert all((path.parent / urllib.parse.unquote(link)).is_file() for link in files)


def test_small_things():
    assert artifact_title("table_1") == "Table 1"
    assert artifact_title("figure_anchor_sizes") == "Figure: anchor sizes"
    assert artifact_title("head_to_head") == "Head to head"
    rows = [
        {"status": "reproduced", "note": "t", "origin": "paper"},
        {"status": "not_run", "note": "too big", "origin": "paper"},
    ]
    assert judge(rows, built=True).text == "reproduced: 1 of 2"
    assert judge(rows, built=True).reason == "1 of 2 published values, e.g. too big"
    assert judge(rows[1:], built=True).text == "not compared"
    assert judge(rows[1:], built=False).text == "not run"
    assert judge([], built=True).kind == "own"
    own = [{"status": status, "note": "t", "origin": "measured"} for status in ("agrees", "differs", "agrees")]
    assert judge([*rows, *own], built=True).text == "reproduced: 1 of 2"  # ours are counted apart
    assert judge([rows[1], *own], built=True).text == "differs from our own: 1 of 3"
    assert judge([rows[1], *own[::2]], built=True).text == "agrees with our own: 2 of 2"
    assert artifact_title("figure_laj") == "Figure: LAJ"


def test_verdicts_are_counted_by_paper_and_tier_and_a_tier_that_ran_nothing_is_left_out():
    told = [("mend", "mini", "holds"), ("ddg", "mini", "not run"), ("mend", "laptop", "contrary")]
    told += [("mend", "mini", "not run"), ("ddg", "laptop", "holds"), ("mend", "mini", "holds")]
    rows = [dict(zip(("paper", "tier", "verdict"), row)) for row in told]
    assert verdict_counts(rows) == [
        {"paper": "mend", "tier": "mini", "counts": [2, 0, 0, 1]},
        {"paper": "mend", "tier": "laptop", "counts": [0, 1, 0, 0]},
        {"paper": "ddg", "tier": "laptop", "counts": [1, 0, 0, 0]},
    ]


def test_the_comparison_is_grouped_and_says_in_one_line_why_values_are_empty():
    def row(paper, status, origin="paper", note="t"):
        return {"paper": paper, "status": status, "origin": origin, "note": note}

    rows = [
        row("mend", "not_run", note="a"),
        row("ddg", "agrees", "measured"),
        row("mend", "reproduced"),
        row("mend", "not_run", note="a"),
        row("mend", "not_run", "measured", "b"),
        row("ddg", "not_run", note="c"),
    ]
    found = grouped(rows)
    assert (found.compared, found.own) == ([rows[2]], [rows[1]])
    assert [(one.name, len(one.rows), one.reason) for one in found.folded] == [
        ("MEND", 3, "a (2 of 3; the others say why in their rows)"),
        ("DDG", 1, "c"),
    ]
    mini = "the mini tier runs synthetic stand-ins, which are never compared"
    assert (
        one_reason([row("ddg", "not_run", note=f"mini tier runs a synthetic stand-in{n}") for n in ("", " x")]) == mini
    )


def test_the_comparison_names_things_in_words():
    row = dict.fromkeys(compare_published.COMPARISON_COLUMNS, "x") | {"published": "1", "status": "not_run"}
    row |= {"ours_mean": "", "ours_std": "", "difference": "", "setting": "sst2/dpc_20", "model": "bert_base"}
    row |= {"method": "dilm_no_rt", "metric": "score_percent"}
    (shown,) = comparison_rows([row], [])
    words = [shown[f"{name}_words"] for name in ("setting", "model", "method", "metric")]
    assert words == ["SST-2, 20 texts a class", "BERT base", "DiLM without representative teacher", "score (%)"]
    (shown,) = comparison_rows([{**row, "setting": "all", "method": "gt_0.8"}], [])
    assert (shown["setting_words"], shown["method_words"]) == ("", "score > 0.8")


def test_a_table_says_which_of_its_numbers_move_between_processors(pages):
    mini, paper = (Page(pages[tier]).text for tier in ("mini", "paper"))
    assert mini.count("Moves between processors. 0.9 on one") == 1
    assert "Moves between processors" not in paper  # what was seen is of the mini tier


def test_a_deviation_too_small_for_the_papers_digits_is_not_shown_as_zero():
    row = dict.fromkeys(compare_published.COMPARISON_COLUMNS, "x")
    row |= {"published": "52002", "ours_mean": "52001.8", "ours_std": "", "difference": "-0.2", "status": "deviates"}
    (shown,) = comparison_rows([row], [])
    assert (shown["shown_published"], shown["ours"], shown["shown_difference"]) == ("52,002", "52,002", "−0.2")


def entry(**changes):
    base = {"paper": "p", "artifact": "table_1", "kind": "table", "files": ["a.csv", "a.md"], "caption": "c.rst"}
    return json.dumps([{key: value for key, value in {**base, **changes}.items() if value is not None}])


@pytest.mark.parametrize(
    "text, message",
    [
        ("[", "--artifacts: broken JSON"),
        ("{}", "--artifacts: expected a JSON list, found dict"),
        ("[3]", "--artifacts: entry 0: expected keys and values, found int"),
        (entry(captoin="x"), "entry 0: unknown key 'captoin' (did you mean 'caption'?)"),
        (entry(caption=None), "entry 0: key 'caption' is missing"),
        (entry(files=["a.csv"]), "p_table_1: a table needs csv and md files"),
        (entry(kind="plot"), "found kind 'plot'"),
        (entry(kind="figure", files=["a.csv", "a.pdf"]), "a figure csv and png; found kind 'figure' with csv, pdf"),
    ],
)
def test_faults_in_the_manifest_are_named(text, message):
    with pytest.raises(UserError, match=re.escape(message)):
        parse_manifest(text)


@pytest.mark.parametrize(
    "file, content, message",
    [
        ("caption.rst", "{{ snakemake.config['no'] }}", "caption.rst: .*correct the"),
        ("config.json", "[1]", "config.json: expected a map"),
        ("results/paper/figures/nuggets_figure_sizes.png", "no image", "not a PNG image"),
        ("results/paper/tables/nuggets_table_1.md", "# hello", "not a table written by this workflow"),
        ("results/paper/comparison.csv", None, "comparison.csv: no such file"),
        ("results/paper/figures/nuggets_figure_sizes.png", None, "sizes.png: no such file"),
        ("results/paper/benchmarks/x.tsv", "hello", "not a Snakemake benchmark file"),
    ],
)
def test_faults_in_the_files_are_named(tmp_path, command, file, content, message):
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    with pytest.raises(UserError, match=message):
        main(command)
    assert not (tmp_path / "results" / "paper" / "report.html").exists()


def test_unknown_status_in_the_comparison_is_named(tmp_path, command):
    path = tmp_path / "results" / "paper" / "comparison.csv"
    path.write_text(path.read_text().replace("reproduced", "fine"))
    with pytest.raises(UserError, match=r"comparison\.csv:3: unknown status 'fine'"):
        main(command)


def test_another_configuration_no_benchmarks_and_an_unknown_paper(tmp_path, command):
    (tmp_path / "own.json").write_text('{"tier": "paper", "sixth": {"seeds": [7]}}')
    command[command.index("--config") + 1] = str(tmp_path / "own.json")
    at = command.index("--benchmarks")
    del command[at : at + 2]
    at = command.index("--artifacts") + 1
    command[at] = command[at].replace('"paper": "nuggets"', '"paper": "sixth_paper"')
    main(command)
    text = Page(tmp_path / "results" / "paper" / "report.html").text
    assert "No run times were recorded." in text
    assert "sixth_paper" in text
    assert "None of this paper's tables and figures is part of this run." in text  # nuggets: published values only


# --- in a browser


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_shows_the_page_without_complaint(pages, width, scheme):
    with open_page(pages["paper"], width=width, scheme=scheme) as page:
        assert page.run("document.title") == "thrift: report of the paper tier"
        assert page.run("window.injected === undefined")
        assert page.run(f"document.body.textContent.includes({json.dumps(EVIL)})")
        assert (
            page.run("[...document.images].map(image => image.complete && image.naturalWidth > 0)") == [True] * 3
        )  # overview, claims, figure
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
        light = page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(v => v > 128)")
        assert light == (scheme == "light")
        # No picture of the top, claims and overview, is wider than the window, and wide tables keep their first column.
        assert page.run("[...document.querySelectorAll('.hero img')].every(one => one.clientWidth <= innerWidth)")
        kept = "[...document.querySelectorAll('table.data td:first-child')].map(one => getComputedStyle(one).position)"
        assert set(page.run(kept)) == ({"sticky"} if width == 390 else {"static"})
        shown = page.run("getComputedStyle(document.querySelector('nav ul ul')).display")
        assert shown == ("none" if width == 390 else "block")
        assert page.faults == []


def test_browser_without_scripts_shows_everything_and_no_dead_controls(pages):
    with open_page(pages["paper"], scripts=False) as page:
        visible = "[...document.querySelectorAll('{}')].filter(one => one.offsetHeight > 0).length"
        assert page.run(visible.format("article")) == 3
        seen = visible.replace("one.offsetHeight > 0", "one.checkVisibility()")
        assert page.run(seen.format(".comparison tbody tr")) == 3  # the two that were not run are folded
        assert page.run(visible.format("form, #theme")) == 0
        assert page.faults == []


def test_printed_page_has_neither_menu_nor_controls_and_keeps_to_its_width(pages):
    with open_page(pages["paper"], width=720) as page:
        page.show_as("dark", media="print")
        assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert page.run("getComputedStyle(document.getElementById('filter')).display") == "none"
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.run("getComputedStyle(document.querySelector('.scroll.tall')).maxHeight") == "none"
        pdf = base64.b64decode(page.call("Page.printToPDF")["data"])
        assert pdf.startswith(b"%PDF")
        assert len(pdf) > 20_000


FOUND = "[...document.querySelectorAll('article:not([hidden])')].map(article => article.id)"


def type_into(page, form: str, words: str, status: str = "") -> None:
    page.run(
        f"(() => {{ const form = document.getElementById('{form}'); form.elements.words.value = {json.dumps(words)};"
        f" if (form.elements.status) form.elements.status.value = '{status}';"
        " form.dispatchEvent(new Event('input')); })()"
    )


def test_browser_finds_tables_and_figures_by_words_anywhere_in_them(pages):
    with open_page(pages["paper"], width=1400) as page:
        everything = ["nuggets-table_1", "nuggets-table_2", "nuggets-figure_sizes"]
        assert page.run(FOUND) == everything
        type_into(page, "find", "WIN rates GROUP")
        assert page.run(FOUND) == ["nuggets-table_1"]
        assert page.run("[...document.querySelectorAll('nav [data-of]:not([hidden])')].length") == 1
        assert page.run("document.querySelector('#find output').value") == "1 of 3"
        page.run("location.hash = '#nuggets-figure_sizes'; new Promise(done => setTimeout(done, 100))")
        assert page.run(FOUND) == everything  # a link to something hidden ends the search
        type_into(page, "find", "nothing has this word")
        assert page.run(FOUND) == []
        assert page.run("document.getElementById('nuggets').hidden && !document.getElementById('run').hidden")


SHOWN = "[...document.querySelectorAll('.comparison tbody tr:not([hidden])')].map(row => row.dataset.status)"

OPEN = "[...document.querySelectorAll('details.not-compared')].map(folded => folded.open)"


def test_browser_filters_the_comparison(pages):
    with open_page(pages["paper"]) as page:
        assert page.run(SHOWN) == ["deviates", "reproduced", "deviates", "not_run", "not_run"]
        type_into(page, "filter", "FULL table_1")
        assert page.run(SHOWN) == ["reproduced"]
        assert page.run("document.querySelector('#filter output').value") == "1 of 5 rows"
        assert page.run(OPEN) == [False]
        type_into(page, "filter", "", "not_run")
        assert page.run(SHOWN) == ["not_run", "not_run"]
        assert page.run(OPEN) == [True]  # what is folded opens where something in it is found
        type_into(page, "filter", "gt_0.9")  # the name in the measured values finds what the page calls otherwise
        assert page.run(SHOWN) == ["not_run"]
        type_into(page, "filter", "")
        assert page.run(OPEN) == [False]


def test_browser_follows_a_link_from_an_artifact_to_its_rows(pages):
    with open_page(pages["paper"], place="#filter=nuggets-table_1") as page:
        assert len(page.run(SHOWN)) == 4
        assert page.run("document.querySelector('#filter input').value") == "nuggets-table_1"


def test_browser_sorts_the_comparison_by_numbers_and_back(pages):
    column = (
        "[...document.querySelector('.comparison').querySelectorAll('tbody tr')].map(row => row.cells[3].textContent)"
    )
    sort = "document.querySelectorAll('.comparison th .sort')[3].click()"
    with open_page(pages["paper"]) as page:
        page.run(sort)
        assert page.run(column) == ["0.5", "0.5", "26.0"]
        page.run(sort)
        assert page.run(column)[:2] == ["26.0", "0.5"]


def test_browser_theme_button_overrules_the_system(pages):
    background = "getComputedStyle(document.body).backgroundColor"
    with open_page(pages["paper"]) as page:
        white = page.run(background)
        for label, same in (("light", True), ("dark", False), ("auto", True)):
            page.run("document.getElementById('theme').click()")
            assert page.run("document.getElementById('theme').textContent") == f"Theme: {label}"
            assert (page.run(background) == white) == same
