import bz2
import gzip
import lzma
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from usetune import load_article_pairs, load_pairs
from usetune.data import sources

GOOD = "base,ref,similarity\na,b,0.5\nNA,null,1\n"
HEADER = b"base,ref,similarity\n"
ROW = '{"base": "a", "ref": "b", "similarity": 0.5}'


def write(tmp_path, content):
    path = tmp_path / "pairs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_reads_what_is_written(tmp_path):
    pairs = load_pairs(write(tmp_path, "\ufeff" + GOOD))
    assert pairs.to_dict("list") == {
        "base": ["a", "NA"],
        "ref": ["b", "null"],
        "similarity": [0.5, 1.0],
    }
    extra = 'similarity,id,ref,base\n0.1,7,"one, two\nthree",é\n'
    pairs = load_pairs(write(tmp_path, extra))
    assert pairs.to_numpy().tolist() == [["é", "one, two\nthree", 0.1]]
    assert pairs.attrs["source"].endswith("pairs.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "pairs.csv is empty"),
        ("base,ref,similarity\n", "pairs.csv has no rows"),
        ("base,similarity\na,1\n", r"lacks the columns \['ref'\].*found \['base'"),
        (GOOD + "c,d,\n", "similarity: expected a number in .* line 4: ''"),
        (GOOD + "c,d,nan\n", "expected a number in .* line 4: 'nan'"),
        (GOOD + "c,d,high\n", "expected a number in .* line 4: 'high'"),
        (
            GOOD + "c,d,1.01\nc,d,-0.1\n",
            r"in \[0, 1\].* 2 of 4 rows: line 4: '1.01'; line 5",
        ),
        (GOOD + "c,d,inf\n", r"in \[0, 1\].*line 4: 'inf'"),
        (GOOD + ",d,1\n", "column base: expected a text.*line 4: ''"),
        (GOOD + "c, ,1\n", "column ref: expected a text.*line 4: ' '"),
        (GOOD + "c\n", "line 4 has 1 cells, and the header 3"),
        (
            "base,ref,similarity,label\na,b,1,1\n",
            "pairs.csv: the columns fit scored pairs and pairs labelled 0 or 1; say",
        ),
        (GOOD + "c,d,1,2\n", "line 4 has 4 cells, and the header 3"),
        (GOOD.replace("a", "é").encode("latin-1"), "is not UTF-8"),
        (GOOD.encode("utf-16"), "is not UTF-8"),
    ],
)
def test_faults_are_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_pairs(write(tmp_path, content))
    assert "pairs.csv" in str(caught.value)


def test_many_faulty_rows_are_counted_and_not_all_listed(tmp_path):
    with pytest.raises(ValueError, match=r"9 of 9 rows: line 2.*line 6: '2'; …$"):
        load_pairs(write(tmp_path, "base,ref,similarity\n" + "a,b,2\n" * 9))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_pairs(tmp_path / "none.csv")


def test_article_pairs_fall_back_loudly(offline):
    with pytest.warns(UserWarning, match="article/training_data.csv cannot be had"):
        pairs = load_article_pairs()
    assert "NOT the article's" in pairs.attrs["source"]
    shipped = load_pairs(sources.shipped("training_data.csv"))
    pd.testing.assert_frame_equal(pairs, shipped)


@pytest.mark.real_data
def test_article_pairs():
    pairs = load_article_pairs()
    assert pairs.attrs["source"] == "the article's own pairs"
    counts = pairs["similarity"].round(4).value_counts().to_dict()
    assert counts == {0.5: 63, 0.7468: 31, 1.0: 4}


def test_positive_pairs(tmp_path):
    content = "id,label,alternative label,group\n1,cook,chef,food\n2,cook,NA,food\n"
    path = write(tmp_path, content)
    names = {"alternative label": "anchor", "label": "positive"}
    pairs = load_pairs(path, names)
    assert pairs.to_dict("list") == {
        "positive": ["cook", "cook"],
        "anchor": ["chef", "NA"],
        "group": ["food", "food"],
    }
    with pytest.raises(ValueError, match=r"lacks the columns \['label text'\].*found"):
        load_pairs(path, {"label text": "anchor"})
    with pytest.raises(ValueError, match=r"lacks the columns \['positive'\].*found"):
        load_pairs(path, {"alternative label": "anchor"})
    with pytest.raises(ValueError, match="column group: expected a text.*line 4: ''"):
        load_pairs(write(tmp_path, content + "3,cook,x,\n"), names)


def test_json_lines(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        '{"base": "NA", "ref": "é", "similarity": 0.5}\n\n'
        '{"ref": "null", "base": "b", "similarity": 1}\n',
        encoding="utf-8-sig",
    )
    pairs = load_pairs(path)
    assert pairs.to_numpy().tolist() == [["NA", "é", 0.5], ["b", "null", 1.0]]
    assert pairs.attrs["format"] == "scored pairs"
    path.write_text('{"text": "a", "label": 3}\n{"text": "b", "label": "4"}\n')
    assert load_pairs(path)["label"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "pairs.jsonl is empty"),
        ('{"text": "a", "label": 1}\n{"text": \n', "pairs.jsonl, line 2 is not JSON"),
        ("[1, 2]\n", "line 1 must be a JSON object"),
        ('{"text": "a", "label": 1}\n{"text": "b"}\n', "column label.* line 2"),
        ('{"text": "a", "label": 1}\n{"text": 5, "label": 1}\n', "text.* line 2: 5"),
    ],
)
def test_faults_of_json_lines(tmp_path, content, message):
    path = tmp_path / "pairs.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        load_pairs(path)


def test_parquet(tmp_path):
    path = tmp_path / "pairs.parquet"
    table = pd.DataFrame(
        {"anchor": ["a", "NA"], "positive": ["b", "c"], "negative": ["d", "e"]}
    )
    table.to_parquet(path)
    pairs = load_pairs(path)
    pd.testing.assert_frame_equal(pairs, table)
    assert pairs.attrs["format"] == "triplets"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="pairs.parquet is no whole Parquet file"):
        load_pairs(path)


def test_a_data_frame(tmp_path):
    table = pd.DataFrame({"title": ["a", "b"], "class": [0, 1], "note": [None, None]})
    pairs = load_pairs(table, {"title": "text", "class": "label"})
    assert pairs.to_dict("list") == {"text": ["a", "b"], "label": [0, 1]}
    assert list(table) == ["title", "class", "note"]
    with pytest.raises(ValueError, match=r"pairs must have .*found \['title'"):
        load_pairs(table)
    both = pd.DataFrame({"base": ["a"], "ref": ["b"], "similarity": [1], "label": [1]})
    with pytest.raises(ValueError, match="say which with format="):
        load_pairs(both)
    assert "label" not in load_pairs(both, format="scored pairs")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"base;ref;similarity\na;b;0,5\n", r"semicolons.*sep=';'"),
        ("a.tsv", b"base\tref\tsimilarity\n", r"separated by tabs.*sep='\\t'"),
        ("a.csv", b"base, ref,similarity\n", "spaces and capitals count: ' ref' is"),
        ("a.csv", b"Base,Ref,Similarity\n", "'Base' is not 'base'"),
        (
            "a.csv",
            b"nurse,cook,0.5\n",
            r"\['text', 'label'\]; found.*header .* missing",
        ),
        ("a.csv", b"title,other\n", r"must have.*names=\{'title': 'anchor'\} renames"),
        ("a.csv", HEADER + b"a,b,0,5\n", "line 2 has 4 cells.*write 0.5, not 0,5"),
        ("a.csv", HEADER + b'a,b,"0,5"\n', "line 2: '0,5'; write 0.5, not 0,5"),
        ("a.csv", HEADER + b"\n\na,b,x\n", "line 4: 'x'$"),
        ("a.csv", b"base,ref,ref,similarity\n", r"several columns.*\['ref'\]$"),
        ("a.csv", b"base,ref,similarity,,\n", "the commas at the ends of its lines"),
        ("a.xlsx", b"PK\x03\x04", "Excel workbook or another zip.*save it as CSV"),
        ("a.csv", b"\xd0\xcf\x11\xe0", "Excel workbook"),
        ("a.jsonl", b"PAR1", "a Parquet file; let its name end in .parquet"),
        ("a.csv", b"\x1f\x8b", "packed by gzip; let its name end in .gz"),
        ("a.csv.gz", b"\x1f\x8b\x08", "is no whole gzip file"),
        ("a.csv.gz", HEADER, "is no whole gzip file"),
        ("a.csv.bz2", bz2.compress(HEADER), "is packed by bzip2; unpack it"),
        ("a.csv.xz", lzma.compress(HEADER), "is packed by xz; unpack it"),
        ("a.csv", b'"base";"ref"\n"a";"b"\n', r"line 1.*semicolons.*sep=';'"),
        ("a.csv", b'"base"\t"ref"\n', r"line 1.*tabs.*sep='\\t'"),
        ("a.json", b'[{"base": "a"}]', ", line 1 must be .*; a line is one obj"),
        ("a.json", b'{\n  "base": "a"\n}\n', ", line 1 is not .*; a line is one obj"),
        ("a.parquet", HEADER, "is no whole Parquet file.*copy it again"),
    ],
)
def test_first_mistakes_get_a_hint(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}.*{message}"):
        load_pairs(tmp_path / name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"base": "a", "ref": "b", "similarity": true}', "line 3: True"),
        (
            '{"base": "a", "ref": "b", "ref": "c"}',
            r"line 3 .*keys \['ref'\] come twice",
        ),
        ('{"x": {"y": 1, "y": 1}}', r"line 3 .*keys \['y'\] come twice"),
        (r'{"base": "\ud800x", "ref": "b", "similarity": 1}', "line 3 .*surrogates"),
        ('{"similarity": ' + "9" * 5000 + "}", "line 3 is not JSON.*4300 digits"),
        (ROW.replace("0.5", "9" * 400), "similarity: expected a number.*line 3: 99"),
        (ROW.replace("0.5", "NaN"), "line 3: nan"),
        ("[" * 100_000, "line 3 is not JSON.*recursion"),
    ],
)
def test_json_that_can_be_read_in_two_ways_or_none(tmp_path, line, message):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{ROW}\n\n{line}\n")
    with pytest.raises(ValueError, match=f"a.jsonl.*{message}"):
        load_pairs(path)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_packed_files(tmp_path, ending):
    content = GOOD if ending == "csv" else f"{ROW}\n"
    path = tmp_path / f"a.{ending}.GZ"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + content.encode()))
    assert load_pairs(path)["base"].iloc[0] == "a"


@pytest.mark.parametrize(
    "scores",
    [
        [True, False],
        pd.to_datetime([0, 1]),
        pd.to_timedelta([0, 1]),
        pd.Series([pd.Timestamp(0), True], dtype=object),
        pd.Series([0.5, np.timedelta64(1)], dtype=object),
        pd.Series([10**400, 0.5], dtype=object),
        pd.Series([0.5, "0_5"], dtype=object),
        [0.5j, 1],
    ],
)
@pytest.mark.parametrize("ending", ["parquet", None])
def test_what_is_no_number_is_no_similarity(tmp_path, scores, ending):
    table = pd.DataFrame({"base": ["a", "b"], "ref": ["c", "d"], "similarity": scores})
    if ending is not None:
        if table["similarity"].dtype.kind in "Oc":
            pytest.skip("Parquet has no column of these")
        table.to_parquet(tmp_path / "a.parquet")
        table = tmp_path / "a.parquet"
    with pytest.raises(ValueError, match=r"similarity: expected a number in \[0, 1\]"):
        load_pairs(table)


def test_numbers_of_other_types():
    scores = [Decimal("0.25"), Fraction(1, 2), np.float16(0.5), " 1e-1 ", 1]
    table = pd.DataFrame({"base": list("abcde"), "ref": "x", "similarity": scores})
    assert load_pairs(table)["similarity"].tolist() == [0.25, 0.5, 0.5, 0.1, 1]
    whole = table.assign(similarity=pd.array([1, 0, 1, 0, 1], "Int64"))
    assert load_pairs(whole)["similarity"].tolist() == [1, 0, 1, 0, 1]


def test_a_data_frame_with_odd_columns():
    table = pd.DataFrame({7: [0], "base": ["a"], "ref": ["b"], "similarity": [1]})
    assert list(load_pairs(table)) == ["base", "ref", "similarity"]
    with pytest.raises(ValueError, match=r"several columns of the names \['ref'\]"):
        load_pairs(table.rename(columns={7: "ref"}))
    with pytest.raises(ValueError, match=r"several columns of the names \['ref'\]"):
        load_pairs(table, names={7: "ref"})
    surrogate = table.assign(base=pd.Series(["\ud800"], dtype=object))
    with pytest.raises(ValueError, match="written as UTF-8.*row 1: '.ud800'"):
        load_pairs(surrogate)


@pytest.mark.parametrize("source", [[("a", "b", 0.5)], {"base": ["a"]}, b"a.csv", None])
def test_what_is_no_table(source):
    with pytest.raises(TypeError, match=r"load_pairs\(path\).*DataFrame\(rows, col"):
        load_pairs(source)


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, GOOD)
    assert len(load_pairs("~/pairs.csv")) == 2
