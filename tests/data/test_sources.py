import hashlib
import http.server
import threading
import tomllib

import pytest

from usetune.data import sources

NAME = "folder/file.csv"
CONTENT = b"some data\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(CONTENT)
        self.server.requests += 1

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.delenv("USETUNE_DATA", raising=False)
    monkeypatch.setattr(sources.pooch, "os_cache", lambda _: tmp_path / "cache")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.requests = 200, 0
    registry = tmp_path / "registry.txt"
    url = f"http://127.0.0.1:{server.server_port}/file.csv"
    registry.write_text(
        f"# A comment.\n{NAME} {SHA256} {url}\nother.csv {'0' * 64} {url}\n"
    )
    monkeypatch.setattr(sources, "_REGISTRY", registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    sources._download.cache_clear()
    yield server
    sources._download.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_is_checked_and_kept(server, tmp_path):
    for _ in range(2):
        path = sources.find(NAME)
        assert path == tmp_path / "cache" / "folder" / "file.csv"
        assert path.read_bytes() == CONTENT
        sources._download.cache_clear()
    assert server.requests == 1


def test_wrong_content_is_an_error_and_no_fallback(server):
    with pytest.raises(ValueError, match="SHA256"):
        sources.find("other.csv")


def test_unreachable_is_none(server):
    server.status = 503
    with pytest.raises(FileNotFoundError, match="file.csv cannot be had.*503"):
        sources.find(NAME)


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(FileNotFoundError, match="file.csv cannot be had.*Errno"):
        sources.find(NAME)


def test_an_empty_variable_asks_for_what_is_shipped(server, monkeypatch):
    sources.find(NAME)
    monkeypatch.setenv("USETUNE_DATA", "")
    with pytest.raises(FileNotFoundError, match="file.csv cannot be had: .* but empty"):
        sources.find(NAME)


def test_the_users_folder_comes_first(server, monkeypatch, tmp_path):
    path = tmp_path / NAME
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    monkeypatch.setenv("USETUNE_DATA", str(tmp_path))
    assert sources.find(NAME) == path
    assert server.requests == 0
    path.write_bytes(b"changed")
    with pytest.raises(ValueError, match="file.csv .*USETUNE_DATA.* not the file"):
        sources.find(NAME)


def a_package(monkeypatch, folder, *files):
    """Let usetune lie in a folder, with files beside it."""
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(file))
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(sources, "_PACKAGE", folder)


def test_the_package_has_its_own_data(monkeypatch, tmp_path):
    package = tmp_path / "lib" / "site-packages" / "usetune"
    own = package / "data" / "files" / "a.csv"
    others = tmp_path / "lib" / "data" / "a.csv", tmp_path / "lib" / "pyproject.toml"
    a_package(monkeypatch, package, own, *others)
    assert sources.shipped("a.csv") == own
    own.unlink()
    with pytest.raises(FileNotFoundError, match="a.csv is in none of [^,]*data.files$"):
        sources.shipped("a.csv")


def test_a_checkout_has_its_data_at_the_top(monkeypatch, tmp_path):
    beside, project = tmp_path / "data" / "a.csv", tmp_path / "pyproject.toml"
    a_package(monkeypatch, tmp_path / "src" / "usetune", beside, project)
    assert sources.shipped("a.csv") == beside
    project.unlink()
    with pytest.raises(FileNotFoundError, match="a.csv is in none of"):
        sources.shipped("a.csv")


def test_the_wheel_has_the_data_where_it_is_looked_for():
    root = sources._PACKAGE.parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"data": "usetune/data/files"}


def test_shipped():
    assert sources.shipped("training_data.csv").is_file()
    with pytest.raises(FileNotFoundError, match=r"none.csv is in none of .*data"):
        sources.shipped("none.csv")
