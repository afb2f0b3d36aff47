import hashlib
import http.server
import threading

import pytest

from usetune import datasets

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
    monkeypatch.setattr(datasets.pooch, "os_cache", lambda _: tmp_path / "cache")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.requests = 200, 0
    server.url = f"http://127.0.0.1:{server.server_port}/file.csv"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    datasets._download.cache_clear()
    yield server
    datasets._download.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_is_checked_and_kept(server, tmp_path):
    for _ in range(2):
        path = datasets.find("folder/file.csv", server.url, SHA256)
        assert path == tmp_path / "cache" / "folder" / "file.csv"
        assert path.read_bytes() == CONTENT
        datasets._download.cache_clear()
    assert server.requests == 1


def test_wrong_content_is_an_error_and_no_fallback(server):
    with pytest.raises(ValueError, match="SHA256"):
        datasets.find("file.csv", server.url, "0" * 64)


def test_unreachable_is_none(server):
    server.status = 503
    assert datasets.find("file.csv", server.url, SHA256) is None


def test_the_users_folder_comes_first(server, monkeypatch, tmp_path):
    (tmp_path / "file.csv").write_bytes(CONTENT)
    monkeypatch.setenv("USETUNE_DATA", str(tmp_path))
    assert datasets.find("file.csv", server.url, SHA256) == tmp_path / "file.csv"
    assert server.requests == 0
    (tmp_path / "file.csv").write_bytes(b"changed")
    with pytest.raises(ValueError, match="file.csv .*USETUNE_DATA.* not the file"):
        datasets.find("file.csv", server.url, SHA256)


def test_shipped():
    assert datasets.shipped("training_data.csv").is_file()
    with pytest.raises(FileNotFoundError, match=r"none.csv is in none of .*data"):
        datasets.shipped("none.csv")
