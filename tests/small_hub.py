"""A hub of models on 127.0.0.1 that keeps what is committed: enough of its API for a push in one commit, large files included."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = 1000
"""Bytes from which a file is stored by its hash, as by Git LFS."""


@dataclass
class Hub:
    """`repos` maps a name to (private, path -> bytes); `refusals` maps a beginning of a path to a status."""

    token: str
    repos: dict[str, tuple[bool, dict[str, bytes]]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    commits: list[list[str]] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        path = self._checked()
        if path is None:
            return
        repo = "/".join(path.removeprefix("/api/models/").split("/")[:2])
        if repo not in self.hub.repos:
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif "/tree/" in path:
            files = self.hub.repos[repo][1]
            self._answer(200, [{"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in files.items()])
        else:
            self._answer(200, {"id": repo, "sha": "0" * 40, "siblings": [{"rfilename": name} for name in self.hub.repos[repo][1]]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = self._checked()
        if path is None:
            return
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            bad = "license: nonsense" in json.loads(body)["content"]
            self._answer(400 if bad else 200, {"errors": [{"message": '"license" must be one of'}] if bad else [], "warnings": []})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [{"path": file["path"], "uploadMode": "lfs" if file["size"] >= LARGE else "regular"} for file in files]
            self._answer(200, {"files": [{**mode, "shouldIgnore": False} for mode in modes]})
        elif path.endswith("/info/lfs/objects/batch"):
            wanted = json.loads(body)["objects"]
            actions = {"upload": {"href": f"{self.hub.url}/storage"}}
            objects = [{**one, "actions": {"upload": {"href": f"{actions['upload']['href']}/{one['oid']}"}}} for one in wanted]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif "/commit/" in path:
            self._commit("/".join(path.removeprefix("/api/models/").split("/")[:2]), [json.loads(line) for line in body.splitlines()])
        else:
            self._answer(404, {"error": f"the small hub has no {path}"})

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        digest = self.path.rpartition("/")[2]
        assert hashlib.sha256(data).hexdigest() == digest
        self.hub.objects[digest] = data
        self._answer(200, {})

    def _checked(self) -> str | None:
        path = unquote(urlsplit(self.path).path)
        refusal = next((status for begin, status in self.hub.refusals.items() if path.startswith(begin)), None)
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            refusal = 401
        if refusal is not None:
            self._answer(refusal, {"error": f"refused, said to hold {self.headers.get('Authorization')}"})
            return None
        return path

    def _create(self, wanted: dict[str, Any]) -> None:
        repo = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
        url = {"url": f"{self.hub.url}/{repo}"}
        if repo in self.hub.repos:
            self._answer(409, {"error": "You already created this model repo", **url})
        else:
            self.hub.repos[repo] = (
                wanted.get("visibility") == "private" or bool(wanted.get("private")),
                {".gitattributes": b"", "notes/of-a-person.txt": b"keep"},
            )
            self._answer(200, url)

    def _commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        files = self.hub.repos[repo][1]
        self.hub.commits.append([line["value"]["path"] for line in lines if line["key"] != "header"])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        self._answer(
            200, {"success": True, "commitOid": "1" * 40, "commitUrl": f"{self.hub.url}/{repo}/commit/{'1' * 40}", "hookOutput": ""}
        )

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def small_hub(token: str) -> Iterator[Hub]:
    """A running hub that knows one token."""
    hub = Hub(token)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()
