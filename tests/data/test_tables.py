import pytest

from usetune.data.esco import load_occupations

HEADER = b"conceptUri,iscoGroup,preferredLabel,altLabels,description\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.csv is empty"),
        (HEADER + "é\n".encode("latin-1"), "file.csv is not UTF-8.* line 2"),
        (HEADER + b"1,2\n", "file.csv, line 2 has 2 cells, and the header 5"),
        (b"a,b\n1,2\n", r"file.csv lacks the columns \['conceptUri'"),
    ],
)
def test_faults_are_named_for_occupations_too(tmp_path, content, message):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_occupations(path)
