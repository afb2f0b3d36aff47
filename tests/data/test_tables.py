import pytest

from usetune.data.esco import load_occupations


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.csv is empty; expected the columns"),
        ("conceptUri\né".encode("latin-1"), "file.csv is not UTF-8"),
        (b"a,b\n1,2\n1,2,3,4\n", "file.csv is not a CSV file"),
        (b"conceptUri\n1,2\n", "file.csv has rows with more cells than its header"),
        (b"a,b\n1,2\n", r"file.csv lacks the columns \['conceptUri'"),
    ],
)
def test_faults_are_named_for_occupations_too(tmp_path, content, message):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_occupations(path)
