"""The Hugging Face Hub and Kaggle on loopback, as far as their libraries ask.

Neither keeps anything on disk. `fail` maps a part of a path to the status that requests
for it get; `requests` holds "METHOD path" of all that came.
"""

import base64
import hashlib
import http.server
import itertools
import json
import threading
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

TOKEN = "token-of-the-test"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self):
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(f"{self.command} {path}")
        status = next((s for p, s in self.server.fail.items() if p in path), None)
        token = self.headers.get("Authorization")
        if status:
            answer = status, {"error": "refused by the test"}, {}
        elif token != f"Bearer {TOKEN}" and (token or self.command == "POST"):
            answer = 401, {"error": "not this token"}, {}
        else:
            answer = self.server.answer(self.command, path, body)
        status, content, headers = answer
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
            headers = {"Content-Type": "application/json", **headers}
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.fail, self.requests = {}, []


class Hub(_Server):
    """`repositories`: by id, the commits of each branch, each a dict of files."""

    def __init__(self):
        super().__init__()
        self.repositories, self.private, self.stored = {}, {}, {}
        self.messages = []

    def add(self, repository, files):
        self.repositories[repository] = {"main": [{**files}]}

    def answer(self, method, path, body):
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}, {}
        if parts[0] == "storage":
            assert hashlib.sha256(body).hexdigest() == parts[1]
            self.stored[parts[1]] = body
            return 200, b"", {}
        if path.endswith(".git/info/lfs/objects/batch"):
            return (
                200,
                {"objects": [*map(self._object, json.loads(body)["objects"])]},
                {},
            )
        api = parts[0] == "api"
        repository = "/".join(parts[2:4] if api else parts[:2])
        if repository not in self.repositories:
            return 404, {"error": "none"}, {"X-Error-Code": "RepoNotFound"}
        action, *rest = parts[4:] if api else parts[2:]
        if action == "resolve":
            return self._resolve(repository, rest[0], "/".join(rest[1:]))
        revision = "/".join(rest)
        if action == "branch":
            branches = self.repositories[repository]
            branches.setdefault(revision, [*branches["main"]])
            return 200, {}, {}
        found = self._find(repository, revision)
        if found is None:
            return 404, {"error": "none"}, {"X-Error-Code": "RevisionNotFound"}
        if action == "preupload":
            return 200, {"files": [*map(_mode, json.loads(body)["files"])]}, {}
        if action == "commit":
            return self._commit(repository, revision, body)
        if action == "revision":
            return 200, {"id": repository, "sha": found[0], "siblings": []}, {}
        assert action == "tree", path
        return 200, [_entry(name, content) for name, content in found[1].items()], {}

    def _create(self, asked):
        repository = f"{asked['organization']}/{asked['name']}"
        url = f"{self.url}/{repository}"
        if repository in self.repositories:
            return 409, {"url": url, "error": "it exists"}, {}
        self.private[repository] = asked["visibility"] == "private"
        self.add(repository, {".gitattributes": b""})
        return 200, {"url": url}, {}

    def _object(self, asked):
        href = f"{self.url}/storage/{asked['oid']}"
        return {**asked, "actions": {"upload": {"href": href}}}

    def _find(self, repository, revision):
        branches = self.repositories[repository]
        for name, commits in branches.items():
            for number, files in enumerate(commits):
                sha = hashlib.sha1(f"{repository} {name} {number}".encode()).hexdigest()
                if revision == sha or (revision == name and files is commits[-1]):
                    return sha, files
        return None

    def _commit(self, repository, revision, body):
        files = {**self.repositories[repository][revision][-1]}
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.stored[value["oid"]]
            else:
                assert line["key"] == "header"
                self.messages.append(value["summary"])
        self.repositories[repository][revision].append(files)
        sha, _ = self._find(repository, revision)
        url = f"{self.url}/{repository}/commit/{sha}"
        return 200, {"commitUrl": url, "commitOid": sha, "success": True}, {}

    def _resolve(self, repository, revision, name):
        sha, files = self._find(repository, revision)
        if name not in files:
            return 404, b"", {"X-Error-Code": "EntryNotFound"}
        etag = hashlib.sha256(files[name]).hexdigest()
        return 200, files[name], {"ETag": f'"{etag}"', "X-Repo-Commit": sha}


def _mode(file):
    mode = "regular" if file["path"].endswith((".json", ".txt", ".md")) else "lfs"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}


def _entry(name, content):
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "path": name, "size": len(content), "oid": oid}


class Kaggle(_Server):
    """`versions`: by owner/model/variation, the versions, each a dict of files."""

    def __init__(self):
        super().__init__()
        self.models, self.versions, self.blobs, self.asked = {}, {}, {}, []
        self._numbers = itertools.count()

    def answer(self, method, path, body):
        if method == "PUT":
            token = path.rpartition("/")[2]
            self.blobs[token] = self.blobs[token][0], body
            return 200, b"", {}
        asked = json.loads(body)
        self.asked.append(asked)
        action = path.rpartition("/")[2]
        if action == "StartBlobUpload":
            token = f"blob-{next(self._numbers)}"
            self.blobs[token] = asked["name"], None
            return 200, {"token": token, "createUrl": f"{self.url}/put/{token}"}, {}
        model = f"{asked['ownerSlug']}/{asked.get('modelSlug', asked.get('slug'))}"
        if action == "CreateModel":
            self.models[model] = asked
            return 200, {"id": 1}, {}
        if model not in self.models:
            return 404, {"code": 404, "message": "there is none"}, {}
        if action == "GetModel":
            return 200, {"id": 1}, {}
        request = asked.get("body") or {}
        slug = asked.get("instanceSlug") or request.get("instanceSlug")
        name = f"{model}/{slug}"
        if action == "CreateModelInstance" and name in self.versions:
            return 200, {"error": "it exists", "errorCode": 409}, {}
        if action.startswith("CreateModelInstance"):
            self.versions.setdefault(name, []).append(dict(self._files(request, "")))
            return 200, {"id": 1}, {}
        if action == "GetModelInstance":
            return 200, {"id": 1, "versionNumber": len(self.versions[name])}, {}
        files = self.versions[name][asked["versionNumber"] - 1]
        if action == "ListModelInstanceVersionFiles":
            return 200, {"files": [{"name": path} for path in files]}, {}
        assert action == "DownloadModelInstanceVersion", path
        return 200, files[asked["path"]], {}

    def _files(self, folder, prefix):
        for file in folder.get("files", []):
            name, content = self.blobs[file["token"]]
            yield prefix + name, content
        for inner in folder.get("directories", []):
            yield from self._files(inner, f"{prefix}{inner['name']}/")


@contextmanager
def running(server):
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
