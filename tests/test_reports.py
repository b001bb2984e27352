"""The report: the numbers are those of the run, the same in all three files, and nothing is lost, cut off or taken for code."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pptx import Presentation
from pypdf import PdfReader
from scipy.stats import binomtest

from prolip_core import charts, i18n, wording
from prolip_core.reports import advice, business_pages, files, layout, sizes, style, typeset
from prolip_core.reports.build import build, file_stem
from prolip_core.reports.content import Bars, Cards, Matrix, Photos, Ranges, Report, Split, Table, texts_of
from prolip_core.reports.source import SECTIONS, Choices, Source, as_dict, from_dict, sure_of
from prolip_core.reports.surface import Box, Style
from prolip_core.storage.records import StudyRecord, StudySummary
from prolip_core.studies.names import CERTAINTY, CURVE, LOOK, METHODS, NEW_CLASSES
from tests import report_cases

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
CASES = report_cases.CASES


@pytest.fixture(scope="module", params=[(name, language) for name in CASES for language in ("en", "ja")], ids=str)
def made(request: pytest.FixtureRequest) -> tuple[Source, Report]:
    name, language = request.param
    source = CASES[name]()
    return source, build(source, language)


# -- what the files say ------------------------------------------------------------------------------------------------


class _Words(HTMLParser):
    """All texts of an HTML file, and everything that an attribute points to."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self._skip = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._skip = tag == "style"
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        self._skip = False

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.words.append(data)


def html_words(data: bytes) -> _Words:
    found = _Words()
    found.feed(data.decode())
    return found


def shapes(data: bytes) -> Iterator[Any]:
    for slide in Presentation(io.BytesIO(data)).slides:
        yield from slide.shapes


def pptx_text(data: bytes) -> str:
    """Text boxes, tables, and the names in charts."""
    found: list[str] = []
    for shape in shapes(data):
        if shape.has_text_frame:
            found.append(shape.text_frame.text)
        elif shape.has_table:
            found += [cell.text for row in shape.table.rows for cell in row.cells]
        elif shape.has_chart:
            found += [str(label) for label in shape.chart.plots[0].categories]
            found += [series.name for series in shape.chart.plots[0].series]
    return "\n".join(found)


def pdf_text(data: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)


def numbers(text: str) -> set[str]:
    return set(NUMBER.findall(text))


def told(report: Report) -> set[str]:
    """Every number of the content; a matrix may stand with numbers in place of names."""
    return numbers("\n".join(report.texts()))


def extra(report: Report, sheets: int) -> set[str]:
    """Numbers that a file may have besides: of its sheets, of columns of a matrix, of characters that cannot be shown."""
    found = {str(number) for number in range(1, sheets + 1)}
    for page in report.pages:
        for block in page.blocks:
            parts = (block.left, block.right) if isinstance(block, Split) else (block,)
            found |= {one for part in parts if isinstance(part, Matrix) for one in part.numbers}
    return found


def test_every_number_stands_in_every_file_and_no_other(made: tuple[Source, Report]) -> None:
    _source, report = made
    wanted = told(report)
    texts = {
        "html": "\n".join(html_words(files.FORMS["html"].write(report)).words),
        "pptx": pptx_text(files.FORMS["pptx"].write(report)),
        "pdf": pdf_text(files.FORMS["pdf"].write(report)),
    }
    ticks = numbers(" ".join(text for page in report.pages for text in axis_texts(page.blocks)))
    elsewhere = numbers(" ".join(text for page in report.pages for text in other_texts(page.blocks)))
    codes = numbers(" ".join(re.findall(r"U\+[0-9A-F]+", texts["pdf"])))
    for kind, text in texts.items():
        found = numbers(text)
        # The axis of a native chart is drawn by PowerPoint from its values.
        missing = wanted - found - (ticks - elsewhere if kind == "pptx" else set())
        assert not missing, (kind, sorted(missing))
        allowed = wanted | extra(report, 60) | (codes if kind == "pdf" else set())
        assert found <= allowed, (kind, sorted(found - allowed))


def axis_texts(blocks: Any) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Split):
            yield from axis_texts((block.left, block.right))
        elif isinstance(block, Ranges | Bars):
            yield from (text for _, text in block.ticks)


def other_texts(blocks: Any) -> Iterator[str]:

    for block in blocks:
        if isinstance(block, Split):
            yield from other_texts((block.left, block.right))
        elif isinstance(block, Ranges | Bars):
            yield from texts_of(replace(block, ticks=()))
        else:
            yield from texts_of(block)


def test_the_numbers_are_those_of_the_run(made: tuple[Source, Report]) -> None:
    """Counted and computed once more, photo by photo, without the engine's measures."""
    source, report = made
    say = i18n.translator(report.language)
    run = source.run
    text = "\n".join(report.texts())
    for answers in (run.zero_shot, run.prolip):
        right = sum(one.predicted == one.label for one in answers)
        interval = binomtest(right, len(answers)).proportion_ci(0.95, method="wilson")
        for value in (right / len(answers), interval.low, interval.high):
            assert say.percent(value) in text
        assert wording.right_of(say, right, len(answers), interval.low, interval.high) in text
    put_right = sum(b.predicted == b.label != a.predicted for a, b in zip(run.zero_shot, run.prolip, strict=True))
    put_wrong = sum(a.predicted == a.label != b.predicted for a, b in zip(run.zero_shot, run.prolip, strict=True))
    assert say.text("Photos put right: {right}, put wrong: {wrong}.", right=put_right, wrong=put_wrong) in text
    p = binomtest(put_right, put_right + put_wrong, 0.5).pvalue if put_right + put_wrong else 1.0
    assert f"p = {p:.2g}" in text
    assert source.fingerprint[:12] in text


def test_the_cells_of_the_matrix_add_up_to_the_photos(made: tuple[Source, Report]) -> None:
    source, report = made
    (page,) = [page for page in report.pages if page.key == "matrix"]
    split = page.blocks[0]
    assert isinstance(split, Split) and isinstance(split.left, Matrix)
    matrix = split.left
    assert sum(map(sum, matrix.counts)) == len(source.run.prolip)
    assert len(matrix.counts) == len(matrix.names) <= 14
    assert [[cell or "0" for cell in row] for row in matrix.cells] == [
        [f"{one:,}" for one in row] for row in matrix.counts
    ]
    if not matrix.lumped:
        for i, j in ((0, 0), (0, 1), (1, 0)):
            assert matrix.counts[i][j] == sum(one.label == i and one.predicted == j for one in source.run.prolip)
    else:
        assert matrix.names[-1] == i18n.translator(report.language).text("others")


def test_every_class_is_told_weakest_first(made: tuple[Source, Report]) -> None:
    source, report = made
    tables = [
        block.right
        for page in report.pages
        if page.key.startswith("classes")
        for block in page.blocks
        if isinstance(block, Split) and isinstance(block.right, Table)
    ]
    assert sum(len(table.rows) for table in tables) == len(source.run.class_names)
    shares = [one for table in tables for row in table.rows for one in [row[2]]]
    right = [
        sum(one.label == k == one.predicted for one in source.run.prolip) for k in range(len(source.run.class_names))
    ]
    counts = [sum(one.label == k for one in source.run.prolip) for k in range(len(source.run.class_names))]
    weakest = min(range(len(right)), key=lambda k: right[k] / counts[k])
    assert numbers(shares[0]) >= {str(right[weakest]), str(counts[weakest])}


# -- the slides --------------------------------------------------------------------------------------------------------


def test_charts_and_tables_are_native_and_only_photos_are_pictures() -> None:
    source = CASES["five"]()
    report = build(source, "en")
    data = files.FORMS["pptx"].write(report)
    found = list(shapes(data))
    charts_ = [shape.chart for shape in found if shape.has_chart]
    ranges = [block for page in report.pages for block in page.blocks if isinstance(block, Ranges)]
    assert len(charts_) == len(ranges) + 1
    for block in ranges:
        (chart,) = [one for one in charts_ if list(one.plots[0].categories) == [row.label for row in block.rows]]
        assert list(chart.plots[0].series[0].values) == [row.value for row in block.rows]
        literals = [side for name in ("plus", "minus") for side in chart._chartSpace.iter(f"{{*}}{name}")]
        lengths = [float(one.text) for side in literals for one in side.iter("{*}v")]
        assert lengths == [row.high - row.value for row in block.rows] + [row.value - row.low for row in block.rows]
    (bars,) = [
        block.left
        for page in report.pages
        for block in page.blocks
        if isinstance(block, Split) and isinstance(block.left, Bars)
    ]
    (chart,) = [one for one in charts_ if len(one.plots[0].series) == 2]
    assert list(chart.plots[0].series[1].values) == [bar.after for bar in bars.bars]
    pictures = [shape for shape in found if shape.shape_type == 13]
    there = [
        one
        for page in report.pages
        for block in page.blocks
        if isinstance(block, Photos)
        for one in block.photos
        if one.jpeg
    ]
    assert len(pictures) == len(there) > 0
    deck = Presentation(io.BytesIO(data))
    assert deck.slide_width / deck.slide_height == pytest.approx(16 / 9)


def test_no_name_of_a_class_becomes_a_formula_or_a_link_in_the_workbook_of_a_chart() -> None:
    names = ("=cmd|'/c calc'!A1", "{=1+1}", "http://example.com", "+1", "@x")
    data = files.FORMS["pptx"].write(build(report_cases.source(report_cases.run(names)), "en"))
    found = ""
    with zipfile.ZipFile(io.BytesIO(data)) as deck:
        books = [name for name in deck.namelist() if name.startswith("ppt/embeddings/")]
        assert books
        for name in books:
            with zipfile.ZipFile(io.BytesIO(deck.read(name))) as book:
                sheet = book.read("xl/worksheets/sheet1.xml").decode()
                assert "<f" not in sheet and "hyperlink" not in sheet
                found += html.unescape(book.read("xl/sharedStrings.xml").decode())
    assert all(name in found for name in names)


def test_a_currency_with_a_quotation_mark_leaves_the_number_format_whole() -> None:
    inputs = replace(report_cases.FILLED, currency='U"S')
    source = report_cases.source(report_cases.run(report_cases.plain(3)), inputs=inputs)
    formats = [
        shape.chart.value_axis.tick_labels.number_format
        for shape in shapes(files.FORMS["pptx"].write(build(source, "en")))
        if shape.has_chart
    ]
    assert '"US"#,##0' in formats


def test_the_pdf_is_a4_and_carries_its_fonts() -> None:
    reader = PdfReader(io.BytesIO(files.FORMS["pdf"].write(build(CASES["forty hostile"](), "ja"))))
    embedded = 0
    for page in reader.pages:
        assert [round(float(one)) for one in page.mediabox] == [0, 0, 595, 842]
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            one = font.get_object()
            if one["/Subtype"] == "/TrueType":
                assert "/FontFile2" in one["/FontDescriptor"].get_object()
                embedded += 1
    assert embedded


def test_what_the_font_lacks_is_marked_and_listed() -> None:
    text = pdf_text(files.FORMS["pdf"].write(build(CASES["forty hostile"](), "en")))
    assert typeset.MARK in text and "U+05DD" in text  # the first of the Hebrew letters there
    assert "髙﨑" in text
    assert typeset.printable("a🦊b") == "a〓b"
    assert typeset.printable("e\u0301") == "é"
    assert typeset.printable("🦊" * 9) == "〓" * 3


def test_html_is_alone_and_nothing_in_it_is_taken_for_code() -> None:
    data = files.FORMS["html"].write(build(CASES["forty hostile"](), "en"))
    found = html_words(data)
    assert "script" not in found.tags
    assert all(link.startswith("data:image/jpeg;base64,") for link in found.links)
    assert "url(" not in data.decode() and "@import" not in data.decode()
    assert any("<script>alert(1)</script>" in one for one in found.words)
    assert any("Quality <team>" in one for one in found.words)


# -- nothing runs over an edge -----------------------------------------------------------------------------------------


class Recorder:
    """A surface that only notes where things would be drawn."""

    def __init__(self, sheet: style.Sheet) -> None:
        self.sheet, self.boxes, self.over = sheet, [], []  # type: ignore[var-annotated]
        self.pages = 0

    def new_page(self) -> None:
        self.pages += 1

    def _note(self, box: Box, what: str) -> None:
        inside = box.x >= -0.5 and box.x + box.width <= self.sheet.width + 0.5 and box.y >= -0.5
        if not inside or box.y + box.height > self.sheet.height + 0.5:
            self.over.append((self.pages, what, box))

    def rect(self, box: Box, fill: str | None, line: str | None = None) -> None:
        self._note(box, "rect")

    def text(self, box: Box, text: str, style: Style) -> None:
        self._note(box, text)
        tall = typeset.height(text, style.size, sizes.room_of(box.width), bold=style.bold)
        if box.y + tall > self.sheet.height:
            self.over.append((self.pages, text, box))

    def picture(self, box: Box, jpeg: bytes) -> None:
        self._note(box, "picture")

    def ranges(self, box: Box, block: Ranges) -> None:
        self._note(box, "ranges")

    def bars(self, box: Box, block: Bars) -> None:
        self._note(box, "bars")

    def table(self, box: Box, block: Table, heights: Any) -> None:
        self._note(box.at(height=sum(heights)), "table")

    def matrix(self, box: Box, block: Matrix, grid: Any) -> None:
        self._note(
            Box(box.x, box.y, grid.names + grid.cell * len(block.names), grid.head + grid.row * len(block.names)),
            "matrix",
        )


@pytest.mark.parametrize("sheet", [style.SLIDE, style.A4], ids=["slide", "a4"])
def test_nothing_leaves_the_sheet(made: tuple[Source, Report], sheet: style.Sheet) -> None:
    _source, report = made
    recorder = Recorder(sheet)
    layout.draw(report, recorder)
    assert recorder.over == []
    assert recorder.pages <= 30


@given(st.text(max_size=80), st.floats(6, 40), st.floats(30, 400))
def test_lines_fit_and_nothing_is_lost(text: str, size: float, room: float) -> None:
    found = typeset.lines(text, size, room)
    assert "".join("".join(found).split()) == "".join(text.split())
    widest = max((typeset.width(one, size) for one in text), default=0.0)
    hanging = 3 * widest  # closing brackets and full stops may not begin a line
    assert all(typeset.width(line, size) <= room + hanging for line in found)


def test_japanese_never_begins_a_line_with_a_full_stop() -> None:
    found = typeset.lines("学習しました。" * 8, 10, 62)
    assert len(found) > 5
    assert not any(line.startswith(("。", "、", "）")) for line in found)


# -- what is said ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("correct", "count", "wanted", "outcome", "words"),
    [
        (99, 100, 0.9, "enough", "Yes: 99 of 100"),
        (92, 100, 0.9, "open", "Perhaps: 92 of 100"),
        (60, 100, 0.9, "not enough", "Not yet: 60 of 100"),
        (60, 100, 0.5, "enough", "at least 50% were wanted"),
        (99, 100, 0.995, "open", "wanted 99.5%"),
    ],
)
def test_the_answer_follows_the_range(correct: int, count: int, wanted: float, outcome: str, words: str) -> None:
    source = replace(CASES["five"](), choices=Choices(wanted=wanted))
    compared = source.compared
    interval = binomtest(correct, count).proportion_ci(0.95, method="wilson")
    found = replace(
        compared.second,
        correct=correct,
        count=count,
        accuracy=correct / count,
        accuracy_interval=(interval.low, interval.high),
    )
    source = replace(source, compared=replace(compared, second=found))
    say = i18n.translator("en")
    assert advice.outcome(source) == outcome
    assert words in advice.answer(say, source)


def test_parts_can_be_left_out_and_are_left_out_where_nothing_is_known() -> None:
    source = CASES["five"]()
    keys = [page.key for page in build(source, "en").pages]
    assert keys == [
        "answer", "comparison", "matrix", "classes", "photos", "measured", "limits", "evidence", "next", "cost", "assumptions",
        "production",
    ]  # fmt: skip
    bare = replace(source, choices=Choices(sections=()))
    assert [page.key for page in build(bare, "en").pages] == [
        "answer",
        "comparison",
        "matrix",
        "measured",
        "limits",
        "next",
    ]
    assert "cost" not in [page.key for page in build(CASES["two, held out"](), "en").pages]


def test_limits_name_what_is_thin() -> None:
    text = "\n".join(build(CASES["two, held out"](), "en").texts())
    assert "There were no separate test photos." in text
    assert "Few photos were measured (8)" in text
    assert "Fewer than 5 measured photos, too few to say anything about one class: Good, 良品ではない." in text
    assert "The built-in starter model was used." in text
    assert "No test photo of: Good." in text  # a note of the run


def test_nothing_is_said_that_was_not_looked_at() -> None:
    (page,) = [page for page in build(CASES["all right"](), "en").pages if page.key == "evidence"]
    assert page.title == "No further question was looked at yet"
    (page,) = [page for page in build(CASES["five"](), "en").pages if page.key == "evidence"]
    assert page.title == "1 further question was looked at"  # the run's own rule
    table = page.blocks[0]
    assert isinstance(table, Table) and table.rows[0][1].startswith("Of 1,000 parts it would answer ")


def test_cards_show_the_yearly_effect_only_when_filled_in() -> None:
    report = build(CASES["defects"](), "en")
    (page,) = [page for page in report.pages if page.key == "cost"]
    cards = page.blocks[0]
    assert isinstance(cards, Cards) and [card.label for card in cards.cards] == [
        "Yearly effect",
        "Earned back after",
        "Pays from",
    ]
    assert "€" in cards.cards[0].figure
    text = "\n".join(report.texts())
    assert "Cost of a miss" in text and "€200.5" in text


def _with_rule(source: Source, evaluation: str = "test", **changes: Any) -> Source:
    """The source with another rule, and measured on other photos."""
    result = {**source.run.result, "sure": {**source.run.result["sure"], **changes}, "evaluation": evaluation}
    found = replace(source.run, result=result, summary=replace(source.run.summary, evaluation=evaluation))
    return replace(source, run=found, sure_N=sure_of(found))


@pytest.mark.parametrize("case", ["five", "defects"])
def test_where_everything_goes_to_a_person_no_range_is_made_up(case: str) -> None:
    report = build(_with_rule(CASES[case](), threshold=None), "en")
    (cost,) = [page for page in report.pages if page.key == "cost"]
    (assumptions,) = [page for page in report.pages if page.key == "assumptions"]
    text = "\n".join(report.texts())
    assert cost.title == "By its rule every part goes to a person: nothing is saved"
    assert "By its rule a person looks at all" in text and "By its rule every part goes to a person." in text
    assert "are answered alone" not in text and "no cost of mistakes was given" not in text
    table = assumptions.blocks[0]
    assert isinstance(table, Table) and ("Answered alone", "nothing, everything goes to a person") in table.rows


def test_what_is_only_taken_for_another_defect_is_not_called_wrong() -> None:
    source = CASES["defects"]()
    text = "\n".join(build(source, "en").texts())
    assert "missed or stopped wrongly" in text and "of them wrongly (" not in text.replace(
        "of them wrongly (likely", ""
    )
    counts = business_pages.tally_of(source)
    assert counts.bad_answered and counts.good_answered
    (page,) = [page for page in build(source, "en").pages if page.key == "assumptions"]
    table = page.blocks[0]
    assert isinstance(table, Table)
    rows = {row[0]: row[1] for row in table.rows}
    # With these four shares anybody can compute the year again.
    assert rows["Answered alone, of photos that need action"] == f"{counts.bad_answered} of {counts.bad}"
    assert rows["Answered alone, of the other photos"] == f"{counts.good_answered} of {counts.good}"
    assert rows["Of the measured photos, missed without a person"] == f"{counts.missed} of {counts.bad}"
    assert rows["Of the measured photos, stopped wrongly without a person"] == f"{counts.false_alarms} of {counts.good}"
    assert "mixture" in "\n".join(texts_of(page.blocks[1]))


def test_a_threshold_chosen_on_the_measured_photos_is_told() -> None:
    note = "The threshold was chosen on these same photos"

    def told_in(source: Source) -> list[str]:
        return [
            page.key
            for page in build(source, "en").pages
            if note in "\n".join(one for b in page.blocks for one in texts_of(b))
        ]

    crossed = _with_rule(CASES["five"](), "cross_validation")
    assert told_in(crossed) == ["evidence", "cost"]
    assert told_in(CASES["five"]()) == []
    own = replace(crossed, run=replace(crossed.run, summary=replace(crossed.run.summary, threshold=0.7)))
    assert told_in(own) == []


def test_one_report_has_one_threshold() -> None:
    """A study may suggest another one than the run keeps to."""
    source = CASES["five"]()
    suggested = {"threshold": 0.9, "answered": 50, "wrong": 0}
    summary = StudySummary("s1", "p", "run1", None, "certainty", {}, source.fingerprint, source.moment)
    study = StudyRecord(summary, {"suggested": suggested, "query_count": 100, "limit": 0.05})
    found = {}
    for name, sure_N in (("rule", source.sure_N), ("study", None)):
        report = build(replace(source, studies={"certainty": study}, sure_N=sure_N), "en")
        (page,) = [page for page in report.pages if page.key == "evidence"]
        table = page.blocks[0]
        assert isinstance(table, Table)
        found[name] = table.rows[0][1]
    assert "at least 60% sure" in found["rule"] and "at least 90% sure" in found["study"]


def test_how_far_a_class_can_be_trusted_has_its_count_and_range() -> None:
    source = CASES["five"]()
    (page,) = [page for page in build(source, "en").pages if page.key == "classes"]
    split = page.blocks[0]
    assert isinstance(split, Split) and isinstance(split.right, Table)
    for row in split.right.rows:
        k = source.compared.class_names.index(row[0])
        answered = [one for one in source.run.prolip if one.predicted == k]
        right = sum(one.label == k for one in answered)
        interval = binomtest(right, len(answered)).proportion_ci(0.95, method="wilson")
        assert row[3] == f"{right} of {len(answered)} ({interval.low:.0%}–{interval.high:.0%})"


def test_the_monthly_check_says_what_it_supposes() -> None:
    source = CASES["five"]()
    second = source.compared.second
    text = business_pages.drift_note(i18n.translator("en"), source)
    assert "If it is really right in" in text
    assert f"Measured: {second.correct} of {second.count} right (likely" in text


def test_choices_come_back_as_they_were_kept() -> None:
    choices = Choices("T", "O", "A", 0.95, ("cost", "photos"))
    assert from_dict(as_dict(choices)) == replace(choices, sections=("photos", "cost"))
    assert from_dict({}) == Choices()
    assert from_dict({"wanted": "x", "sections": "cost", "title": None}) == Choices()
    assert from_dict({"wanted": 7, "sections": ["nonsense"]}).sections == ()
    assert Choices().sections == SECTIONS


def test_the_name_of_the_file_is_safe_everywhere() -> None:
    source = replace(CASES["five"](), project='..\\a/b:*?"<>| 部品\u202e' + "x" * 99)
    assert re.fullmatch(r"[\w-]{1,80}", file_stem(source))
    assert "部品" in file_stem(source) and "result7" in file_stem(source)


def test_colours_are_those_of_the_charts() -> None:
    assert (style.TONES["before"], style.TONES["after"], style.TONES["good"]) == (
        charts.BEFORE,
        charts.AFTER,
        charts.RIGHT,
    )
    assert style.heat(0)[0] == charts.BLUES[0] and style.heat(1) == (charts.BLUES[-1], True)


def test_the_style_of_the_html_names_the_same_colours() -> None:
    css = (typeset.FONTS.parent / "report.css").read_text(encoding="utf-8")
    for name, value in (("before", style.BEFORE), ("after", style.AFTER), ("good", style.RIGHT), ("bad", style.WRONG)):
        assert f"--{name}: {value.lower()};" in css


@pytest.mark.parametrize("ending", ["pptx", "pdf", "html"])
def test_the_same_report_twice_is_the_same_text(ending: str) -> None:
    reader: dict[str, Callable[[bytes], str]] = {
        "pptx": pptx_text,
        "pdf": pdf_text,
        "html": lambda data: "".join(html_words(data).words),
    }
    first, second = (reader[ending](files.FORMS[ending].write(build(CASES["five"](), "ja"))) for _ in range(2))
    assert first == second


def test_studies_that_are_not_like_ours_cost_the_report_only_themselves() -> None:
    """Out of a file that somebody forged; the report says that nothing was found out, and has all its other pages."""
    found = report_cases.run(("a", "b"))
    sound = build(report_cases.source(found), "en")
    results: tuple[dict[str, Any], ...] = (
        {},
        {"advice_parts": 5},
        {"advice_parts": [{}]},
        {"advice": [], "advice_parts": None, "methods": {}},
    )
    for result in results:
        studies = {
            kind: StudyRecord(StudySummary("s", "p", None, None, kind, {}, "0" * 64, report_cases.MOMENT), result)
            for kind in (CURVE, METHODS, LOOK, NEW_CLASSES, CERTAINTY)
        }
        made = build(report_cases.source(found, studies=studies), "en")
        assert [page.key for page in made.pages] == [page.key for page in sound.pages]
