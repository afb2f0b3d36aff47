import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usetune.data.csv_rows import csv_header, csv_rows, full_rows
from usetune.data.text_files import LONGEST

# What matters to a parser, often; NUL is refused.
TEXT = st.text(
    st.sampled_from('a",\n\ré \ufeff\x0b\x85')
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)


def rows_of(content):
    return [*csv_rows(io.BytesIO(content), "a.csv")]


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(TEXT, min_size=width, max_size=width))
    ),
    # With "\n" at the end of rows, QUOTE_MINIMAL leaves "\r" without quotes.
    st.sampled_from(
        [(csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n"), (csv.QUOTE_MINIMAL, "\r\n")]
    ),
)
def test_what_is_written_is_read(rows, style):
    quoting, end = style
    file = io.StringIO(newline="")
    csv.writer(file, quoting=quoting, lineterminator=end).writerows(rows)
    content = file.getvalue().encode()
    found = rows_of(content)
    assert [row.cells for row in found] == rows
    ends = [row.end for row in found]
    for row, start, stop in zip(found, [0, *ends], ends, strict=False):
        assert row.line == content[:start].count(b"\n") + 1
        assert rows_of(content[start:stop])[0].cells == row.cells


@given(st.text(st.sampled_from('ab",\n\r'), max_size=12))
@example('"a"b,c')
@example('a"b"')
@example('"a"\r\r\n')
def test_what_is_accepted_is_read_as_the_csv_module_reads_it(text):
    try:
        found = [row.cells for row in rows_of(text.encode())]
    except ValueError as error:
        assert str(error).startswith("a.csv, line ")
        return
    expected = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert found == [cells or [""] for cells in expected]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'a,b\n"nurse,cook\nbaker,cook\n"clerk,cook\n',
            r"line 4 \(of a row that begins in line 2\): text stands behind a closing",
        ),
        (b'5" nail,x\n6" bolt,y\n', "line 1: a quote stands within a cell that is not"),
        (b'a,5" nail\n', "line 1: a quote stands within a cell .*'a,5\" nail'; put"),
        (b'x,y\n"5" nail",z\n', 'line 2: text stands behind .* double those .* "5"" n'),
        (b'x,y\na,"b\nc,d\n', "line 2: a quote is opened and never closed"),
        (b'"a""\n', "line 1: a quote is opened and never closed"),
        (b"a,b\rc,d\r", "line 1: a carriage return ends no line.*CSV UTF-8"),
        (b"a\n\xff\n", "a.csv is not UTF-8 .*in line 2"),
        (b"a\0\n", "a.csv is not UTF-8 .*NUL, in line 1"),
    ],
)
def test_faults_are_named_with_their_line(content, message):
    with pytest.raises(ValueError, match=message):
        rows_of(content)


def test_a_quote_that_is_never_closed_does_not_fill_the_memory():
    lines = iter([b'"open\n', *[b"x" * 999_999 + b"\n"] * 20])
    with pytest.raises(ValueError, match="line 1: a quote is opened and never closed"):
        next(csv_rows(lines, "a.csv"))
    # What lies behind is not looked at.
    assert sum(map(len, lines)) > LONGEST // 2


def test_blank_lines_and_rows_of_another_width():
    rows = csv_rows(io.BytesIO(b"\n \nx,y\n\n1,2\n  \n3,4\n"), "a.csv")
    assert csv_header(rows, "a.csv").cells == ["x", "y"]
    assert [(row.cells, row.line) for row in full_rows(rows, "a.csv", 2)] == [
        (["1", "2"], 5),
        (["3", "4"], 7),
    ]
    one = full_rows(csv_rows(io.BytesIO(b"a\n\nb\n"), "a.csv"), "a.csv", 1)
    assert [row.cells for row in one] == [["a"], [""], ["b"]]
    for content, message in (
        (b"a\n", "line 1 has 1 cells, and the header 2: 'a'$"),
        (b"\na,0,5\n", "line 2 has 3 cells.*double quotes, and write 0.5, not 0,5"),
    ):
        with pytest.raises(ValueError, match=message):
            [*full_rows(csv_rows(io.BytesIO(content), "a.csv"), "a.csv", 2)]
    with pytest.raises(ValueError, match="a.csv is empty"):
        csv_header(csv_rows(io.BytesIO(b"\n\n"), "a.csv"), "a.csv")
