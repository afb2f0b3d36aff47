import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from usetune._utils.arrays import ArraySpec, read_arrays, write_arrays

SPECS = {
    "state": ArraySpec("str"),
    "weights/0": ArraySpec("float32", (3, "dim"), finite=True),
    "weights/1": ArraySpec("float32", ("dim",), finite=True),
    "best/0": ArraySpec("int64", (None,), optional=True),
}


def content():
    return {
        "state": np.array('{"é": 1}'),
        "weights/0": np.arange(15, dtype="f4").reshape(3, 5),
        "weights/1": np.ones(5, "f4"),
        "best/0": np.arange(4),
    }


@pytest.fixture
def path(tmp_path):
    write_arrays(tmp_path / "some.file", content())
    return tmp_path / "some.file"


def refused(path, message):
    with pytest.raises(ValueError, match=f"{path.name} is damaged or .*: .*{message}"):
        read_arrays(path, SPECS)


def test_what_was_written(path):
    arrays = read_arrays(path, SPECS)
    assert [*arrays] == [*SPECS]
    for name, expected in content().items():
        np.testing.assert_array_equal(arrays[name], expected)
        assert arrays[name].dtype == expected.dtype
    # In any order in memory, with an array that may be missing, and none at all.
    changed = content()
    changed["weights/0"] = np.asfortranarray(changed["weights/0"])
    del changed["best/0"]
    write_arrays(path, changed)
    arrays = read_arrays(path, SPECS)
    assert "best/0" not in arrays
    np.testing.assert_array_equal(arrays["weights/0"], changed["weights/0"])
    write_arrays(path, {})
    assert read_arrays(path, {}) == {}


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        read_arrays(tmp_path / "none", SPECS)


def test_an_interrupted_write_leaves_the_old_file_whole(path, monkeypatch):
    def interrupted(file, **_):
        file.write(b"half a file")
        raise KeyboardInterrupt

    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_arrays(path, content())
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": None}, r"of the arrays expected it lacks \['state'\]$"),
        ({"more": np.ones(2)}, r"of the arrays expected it also has \['more'\]$"),
        (
            {"state": None, "more": np.ones(2)},
            r"lacks \['state'\], also has \['more'\]$",
        ),
        (
            {f"more/{number}": np.ones(2) for number in range(50)},
            r"also has \['more/0', .*'more/4'\] and 45 more$",
        ),
        ({"state": np.array(1.0)}, r"state must be of str and .*\(\)\..* float64 \(\)"),
        ({"state": np.array(["a"])}, r"state must be .*Received: <U1 \(1,\)"),
        ({"state": np.array("a").astype("S")}, r"state must be .*Received: \|S1"),
        ({"weights/0": np.ones((3, 5))}, "weights/0 must be of float32 .*float64"),
        ({"weights/0": np.ones((3, 5), ">f4")}, "weights/0 must be .*>f4"),
        ({"weights/0": np.ones((2, 5), "f4")}, r"shape \(3, 'dim'\).*\(2, 5\)"),
        ({"weights/0": np.ones(15, "f4")}, r"shape \(3, 'dim'\).*\(15,\)"),
        ({"weights/1": np.ones(6, "f4")}, r"shape \('dim',\) with {'dim': 5}.*\(6,\)"),
        ({"weights/1": np.full(5, np.nan, "f4")}, "weights/1 must be finite"),
        ({"weights/1": np.full(5, -np.inf, "f4")}, "weights/1 must be finite"),
        ({"best/0": np.array(3)}, r"best/0 must be .*\(None,\).* int64 \(\)"),
    ],
)
def test_other_arrays(path, changes, message):
    arrays = {**content(), **changes}
    write_arrays(path, {name: a for name, a in arrays.items() if a is not None})
    refused(path, message)


def test_objects(path):
    sums = np.zeros(2, np.uint8)
    arrays = {**content(), "state": np.array({"a": 1}), "sha256": sums}
    np.savez(path.with_suffix(".npz"), **arrays)
    refused(path.with_suffix(".npz"), "state must be of str .*Received: object")


def rewritten(path, name, change, **options):
    """The file with one member's bytes changed, its checksum right."""
    with zipfile.ZipFile(path) as archive:
        members = {own: archive.read(own) for own in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w", **options) as archive:
        for own, data in members.items():
            archive.writestr(own, data)


def header_of(shape, dtype="<f4"):
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "weights/1 needs 148 bytes and has 147"),
        (lambda data: data + b"\0", "weights/1 needs 148 bytes and has 149"),
        (lambda data: header_of((10**12,)), r"weights/1 must be .*\(1000000000000,\)"),
        (lambda data: header_of((-5,)) + data[128:], r"weights/1 must be .*\(-5,\)"),
        (lambda data: data[:6] + b"\3" + data[7:], "unknown .npy version"),
        (lambda data: b"text", "EOF|magic"),
        (lambda data: b"", "EOF|magic"),
        (lambda data: data.replace(b"descr", b"other"), "Header does not contain"),
        (lambda data: data.replace(b"<f4", b"<!4"), "descr is not a valid dtype"),
        (lambda data: data.replace(b"(5,)", b"(5; "), "EOF in multi-line"),
    ],
)
def test_members_that_are_no_arrays_or_shorter_ones(path, change, message):
    rewritten(path, "weights/1.npy", change)
    refused(path, message)


def test_sums(path):
    """What a member holds is what was written, though its CRC is right again."""
    rewritten(path, "weights/1.npy", lambda data: data[:-2] + b"\0A")
    refused(path, "weights/1 is not what was written: its SHA-256 is another")
    # Only what is read is looked at.
    only = read_arrays(path, {"state": SPECS["state"]}, only=True)
    assert only == {"state": '{"é": 1}'}
    write_arrays(path, content())
    whole = path.read_bytes()
    lost = {"best/0": "it lacks .'best/0'", "sha256": r"lacks \['sha256'\]$"}
    for name, message in lost.items():
        path.write_bytes(whole)
        with zipfile.ZipFile(path) as archive:
            members = {own: archive.read(own) for own in archive.namelist()}
        del members[f"{name}.npy"]
        with zipfile.ZipFile(path, "w") as archive:
            for own, data in members.items():
                archive.writestr(own, data)
        refused(path, message)


def test_the_directory_asks_for_more_memory_than_there_is(path):
    rewritten(path, "best/0.npy", lambda _: header_of((2**28,), "<i8"))
    data = bytearray(path.read_bytes())
    # Both sizes in the directory of the archive, where the name comes last.
    at = data.rindex(b"best/0.npy") - 26
    data[at : at + 8] = struct.pack("<II", 2**31 + 128, 2**31 + 128)
    path.write_bytes(data)
    refused(path, "its arrays need .* bytes, more than it has")


def test_a_header_asks_for_more_memory_than_there_is(path):
    for shape in ((2**50,), (2**40, 2**40)):
        rewritten(path, "best/0.npy", lambda _, own=shape: header_of(own, "<i8"))
        specs = {**SPECS, "best/0": ArraySpec("int64", (None,) * len(shape))}
        with pytest.raises(ValueError, match="best/0 needs .* bytes and has"):
            read_arrays(path, specs)


def test_members_that_are_compressed(path):
    rewritten(path, "state.npy", bytes, compression=zipfile.ZIP_DEFLATED)
    refused(path, "state must not be compressed")


def test_members_that_are_encrypted_or_twice(path):
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")
    write_arrays(path, content())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("state.npy", archive.read("state.npy"))
    refused(path, r"of the arrays expected it has twice \['state'\]$")


@pytest.mark.parametrize("text", [b"", b"text", b"PK\5\6", b"x" * 10_000])
def test_what_is_no_archive(path, text):
    path.write_bytes(text)
    refused(path, "")


def test_every_cut_and_every_bit_of_a_small_file(path):
    """Damage is refused by name, or the arrays are as they were."""
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refused(path, "")
    random, refusals = np.random.default_rng(0), 0
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << int(random.integers(8))
        path.write_bytes(data)
        try:
            arrays = read_arrays(path, SPECS)
        except ValueError as error:
            assert str(path) in str(error)
            refusals += 1
        else:
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, content()[name])
    assert refusals > len(whole) / 2


def test_offsets_out_of_the_file(path):
    """The archive's directory says that it begins elsewhere."""
    whole = path.read_bytes()
    at = whole.rindex(b"PK\5\6") + 16
    for offset in (0, 1, 2**31, 2**32 - 2):
        path.write_bytes(whole[:at] + struct.pack("<I", offset) + whole[at + 4 :])
        refused(path, "")


def test_errors_of_the_disk_are_no_damage(path, monkeypatch):
    def broken(*_, **__):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(zipfile, "ZipFile", broken)
    with pytest.raises(OSError, match="Input/output error"):
        read_arrays(path, SPECS)


def test_memory_is_that_of_the_arrays(tmp_path):
    array = np.zeros(4_000_000, "f4")
    write_arrays(tmp_path / "large", {"a": array})
    assert os.path.getsize(tmp_path / "large") < array.nbytes + 1000
    tracemalloc.start()
    try:
        read_arrays(tmp_path / "large", {"a": ArraySpec("float32", ("n",))})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * array.nbytes
