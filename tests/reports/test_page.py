"""The report's page: well formed, escaped, whole in itself; and the same as Markdown."""

import base64
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from starcast.reports.origin import ReportOrigin
from starcast.reports.page import Matrices, Picture, Report, Section
from starcast.reports.table import WIDTH, Table, cut_apart, no_html, plain

NASTY = '<script>alert("x")</script> & co'
VOID = {"meta", "link", "img", "br", "wbr"}
MATRIX = np.array([[3, 1, 0, 0, 0], [0, 2, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 5, 5], [0, 0, 0, 0, 1200]])


RUN = "#/experiments/0/runs/1f"
ORIGIN = ReportOrigin(
    "2026-01-31 12:00 UTC", "starcast <b> -P x=1", (f"[run x]({RUN})",), "http://127.0.0.1:5000"
)


class Page(HTMLParser):
    """Reads a page: its elements, attributes, ids and text; an element closed out of turn is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]


def figure() -> Figure:
    drawn = Figure(figsize=(4, 3))
    axes = drawn.subplots()
    axes.plot([0, 1], [0, 1], color="#0072B2", label="line")
    axes.plot([0, 1], [1, 0], color="black", marker="o", clip_on=True)
    axes.set_title("title")
    axes.legend()
    return drawn


def report(text: str = NASTY) -> Report:
    table = Table(("name", text, "count"), ((f"a|b {text}", "`code`", "1,234"), ("plain", "text", "-")))
    pictures = (Picture("one", figure(), f'"quoted" {text}'), Picture("two", figure(), "the second"))
    blocks = (f"**bold** and `code` and {text}", table, *pictures, Matrices({text: MATRIX}))
    return Report(f"title {text}", ("**the answer**", text), (Section(text, blocks),))


@pytest.fixture
def html(tmp_path: Path) -> str:
    report().save(tmp_path, ORIGIN)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_escapes_all_text(html: str) -> None:
    page = Page(html)
    assert "script" not in page.tags
    assert (
        page.text.count('<script>alert("x")</script> & co') == 8
    )  # title twice, answer, heading, text, head, cell, matrix
    assert {"strong", "code", "img", "table"} <= set(page.tags)
    assert f'"quoted" {NASTY}' in page.values("alt")


def test_the_page_needs_nothing_outside_of_it(html: str, tmp_path: Path) -> None:
    page = Page(html)
    sources = page.values("src")
    assert len(sources) == 2
    for source, name in zip(sources, ("one", "two"), strict=True):
        kind, data = source.split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data) == (tmp_path / f"{name}.png").read_bytes()
    assert set(page.values("href")) == {"http://127.0.0.1:5000/#/experiments/0/runs/1f"}, "a link to click on"
    assert "@import" not in html
    assert "url(" not in html


def test_the_same_report_gives_the_same_page(tmp_path: Path, html: str) -> None:
    report().save(tmp_path, ORIGIN)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html


def test_markdown_refers_to_figures_that_are_there(tmp_path: Path) -> None:
    report("x").save(tmp_path, ORIGIN)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.startswith(report("x").markdown())
    assert "![the second](two.png)" in text
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "two.png").exists()


def test_markdown_begins_with_the_answer_and_keeps_cells_apart() -> None:
    lines = report("x").markdown().splitlines()
    assert lines[:5] == ["# title x", "", "**the answer**", "", "x"]
    assert lines[lines.index("| name | x | count |") + 1] == "|---|---|--:|"
    assert "| a\\|b x | `code` | 1,234 |" in lines


def test_markdown_without_pictures_has_neither_figures_nor_matrices() -> None:
    text = report("x").markdown(pictures=False)
    assert "![" not in text
    assert "predicted" not in text
    assert "| plain | text | - |" in text


def test_a_section_of_pictures_only_is_left_out_with_them() -> None:
    pictured = Report("t", (), (Section("only a picture", (Picture("one", figure(), "alt"),)),))
    assert "only a picture" in pictured.markdown()
    assert "only a picture" not in pictured.markdown(pictures=False)


@pytest.mark.parametrize(
    "cell", ["1", "-0.5", "1,234", "12%", "0.512 (0.400 to 0.600)", "-", "", "1e-05", "+3"]
)
def test_numbers_stand_at_the_right(cell: str) -> None:
    assert Table(("head",), ((cell,), ("2",))).numeric == (True,)


@pytest.mark.parametrize("cell", ["gru_1", "3 runs", "`1f`", "2026-01-02", "n/a"])
def test_words_stand_at_the_left(cell: str) -> None:
    assert Table(("head",), ((cell,), ("2",))).numeric == (False,)


def test_a_row_with_too_few_cells_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Table(("a", "b"), (("1",),)).markdown()


def test_a_matrix_shows_shares_of_its_rows_and_counts(html: str) -> None:
    rows = list(Matrices({"m": MATRIX}).rows("m"))
    assert rows[0][0] == (0.75, 3)
    assert rows[2] == [(0.0, 0)] * 5  # a rating that no review has
    assert "| true 4 | 0% (0) | 0% (0) | 0% (0) | 50% (5) | 50% (5) |" in Matrices({"m": MATRIX}).markdown()
    assert '<td style="--share: 0.750">75%<small>3</small></td>' in html
    assert "<small>1,200</small>" in html


def test_a_table_on_a_terminal_is_aligned_without_marks_and_fits() -> None:
    rows = (("a" * 150 + "_first", "`12ab`", "1,234.5"), ("**b**", "", "7"))
    lines = Table(("name", "run", "seconds"), rows).text().splitlines()
    assert [line.split() for line in lines[::2]] == [["name", "run", "seconds"], ["b", "7"]]
    assert max(map(len, lines)) == len(lines[1]) == WIDTH
    assert lines[1].endswith("_first  12ab  1,234.5")
    assert [line.rindex(end) + len(end) for line, end in zip(lines, ("seconds", ".5", "7"), strict=True)] == [
        WIDTH
    ] * 3


def test_links_lead_to_the_server_from_a_page_and_are_plain_text_on_a_terminal(tmp_path: Path) -> None:
    linked = f"[`1f`]({RUN}) is best, [not](javascript:alert) this"
    Report("t", (linked,), ()).save(tmp_path, ORIGIN)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert set(page.values("href")) == {f"http://127.0.0.1:5000/{RUN}"}
    assert f"[`1f`](http://127.0.0.1:5000/{RUN}) is best" in (tmp_path / "report.md").read_text()
    assert plain(linked) == "1f is best, [not](javascript:alert) this"


def test_the_line_of_a_name_may_break_where_a_word_ends(tmp_path: Path) -> None:
    Report("t", (), (Section("s", (Table(("f1_macro",), (("<gru_1>",), (f"[`a_b`]({RUN})",))),)),)).save(
        tmp_path, ORIGIN
    )
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "f1_<wbr>macro" in text
    assert "&lt;gru_<wbr>1&gt;" in text
    assert ">a_b</code>" in text


def test_a_page_says_when_it_was_made_and_how_to_repeat_it(html: str, tmp_path: Path) -> None:
    for text in (Page(html).text, (tmp_path / "report.md").read_text(encoding="utf-8")):
        assert ORIGIN.date in text
        assert ORIGIN.command in text


@given(st.lists(st.text("ab-", max_size=30), max_size=6))
def test_cut_names_fit_and_differ_where_the_names_do(names: list[str]) -> None:
    short = cut_apart(names, 14)
    assert max(map(len, short), default=0) <= 14 or short == names
    assert len(set(zip(names, short, strict=True))) == len(set(short)) == len(set(names))


def test_a_name_is_cut_where_names_are_alike() -> None:
    names = [f"{'the same beginning ' * 3}{middle}{' and the same end' * 3}" for middle in "ab"]
    assert cut_apart(names, 20) == ["...a and th...me end", "...b and th...me end"]
    assert cut_apart(["short", names[0]], 20) == ["short", "the same be...me end"]


def test_html_in_a_review_is_text_whatever_stands_before_it() -> None:
    for before in ("", "\\", "\\\\"):
        assert "<" not in no_html(f"{before}<img src=x onerror=alert(1)>")
