"""OpenAI's Files and Batches over real HTTP, answering like the scripted teacher, and failing on demand.

In tests: `with ScriptedBatches(endings=["expired"]) as server: ... server.url, server.asked, server.batches`. What happens to the
batches, in the order in which they are created (`completed` when the list is at its end):

    completed, expired (half of it is answered), cancelled (likewise), failed:CODE, short (a line is missing), twice (every line
    comes back twice), garbled (a line that is no JSON stands between)

`stall` names a request after whose work the server does not answer but sets `stalled`: files (the list), upload, create,
retrieve, content (half of it is sent). `cuts` counts down connections that are cut in the middle of a download, or after a
batch was created. `line_fault` is asked for each line whether it fails: a status, or 0 for a good one. `refuses` are parameters
that a request must not have, as newer models say.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from scripted_teacher import request_key, speak

Json = dict[str, Any]


class ScriptedBatches:
    """A server on a free port of 127.0.0.1; a context manager. `delay` is how many seconds a batch takes."""

    def __init__(
        self,
        *,
        endings: Sequence[str] = (),
        delay: float = 0.0,
        key: str = "",
        stall: str = "",
        cuts: int = 0,
        line_fault: Callable[[Json, int], int] = lambda body, batch: 0,
        refuses: Sequence[str] = (),
        files_api: bool = True,
        refuse_upload: bool = False,
    ) -> None:
        self.endings, self.delay, self.key, self.stall, self.cuts = list(endings), delay, key, stall, cuts
        self.line_fault, self.refuses, self.files_api, self.refuse_upload = line_fault, list(refuses), files_api, refuse_upload
        self.files: dict[str, tuple[Json, bytes]] = {}
        self.batches: dict[str, Json] = {}
        self.asked: Counter[str] = Counter()  # lines that were worked on and billed
        self.lines: list[Json] = []
        self.live: list[Json] = []
        self.tokens, self.downloads = 0, 0
        self.lock, self.stalled, self.closing = threading.Lock(), threading.Event(), threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    # ---- files and batches

    def store(self, name: str, purpose: str, data: bytes) -> Json:
        with self.lock:
            number = len(self.files) + 1
            file = {
                "id": f"file-{number}",
                "object": "file",
                "bytes": len(data),
                "created_at": int(time.time()),
                "filename": name,
                "purpose": purpose,
                "status": "processed",
            }
            self.files[str(file["id"])] = (file, data)
            return file

    def create(self, asked: Json) -> Json:
        ending = self.endings.pop(0) if self.endings else "completed"
        _, data = self.files[asked["input_file_id"]]
        lines = [json.loads(line) for line in data.splitlines()]
        assert asked["endpoint"] == "/v1/chat/completions"
        assert asked["completion_window"] == "24h"
        assert len({line["custom_id"] for line in lines}) == len(lines)
        batch = {
            "id": f"batch_{len(self.batches) + 1}",
            "object": "batch",
            "endpoint": asked["endpoint"],
            "input_file_id": asked["input_file_id"],
            "completion_window": "24h",
            "created_at": int(time.time()),
            "metadata": asked.get("metadata"),
            "status": "in_progress",
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
            "until": time.monotonic() + self.delay,
            "ending": ending,
        }
        self.batches[batch["id"]] = batch
        return batch

    def look(self, batch: Json) -> Json:
        """The batch as it stands; its work is done when its time has come."""
        with self.lock:
            due = batch["status"] == "in_progress" and time.monotonic() >= batch["until"]
        if due:
            self._end(batch)
        return {name: value for name, value in batch.items() if name not in ("until", "ending")}

    def _end(self, batch: Json) -> None:
        ending, _, code = batch["ending"].partition(":")
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]][1].splitlines()]
        self.lines.extend(lines)
        if ending == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": code, "message": "not like this", "line": None, "param": None}]}
            batch["status"] = "failed"
            return
        worked = lines[: len(lines) // 2] if ending in ("expired", "cancelled") else lines[1:] if ending == "short" else lines
        good, bad = [], []
        for number, line in enumerate(worked):
            result, done = self._answer(line, int(batch["id"].removeprefix("batch_")))
            (good if done else bad).append(result)
            if ending == "twice":
                (good if done else bad).append(result)
            if ending == "garbled" and number == 0:
                good.append(b'{"custom_id": "half a li\n')
        for line in lines[len(worked) :] if ending in ("expired", "cancelled") else []:
            error = {"code": f"batch_{ending}", "message": "This request could not be executed in time."}
            bad.append(_line({"id": "x", "custom_id": line["custom_id"], "response": None, "error": error}))
        batch["output_file_id"] = self.store("out", "batch_output", b"".join(good))["id"] if good else None
        batch["error_file_id"] = self.store("err", "batch_output", b"".join(bad))["id"] if bad else None
        batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        batch["status"] = ending if ending in ("expired", "cancelled") else "completed"

    def _answer(self, line: Json, batch: int) -> tuple[bytes, bool]:
        body = line["body"]
        if refused := self.refusal(body):
            return _line(
                {"id": "x", "custom_id": line["custom_id"], "response": {"status_code": 400, "body": refused}, "error": None}
            ), False
        if status := self.line_fault(body, batch):
            said = {"error": {"message": "this was filtered" if status == 400 else "internal trouble", "code": None}}
            response = {"status_code": status, "body": said}
            return _line({"id": "x", "custom_id": line["custom_id"], "response": response, "error": None}), False
        response = {"status_code": 200, "request_id": "r", "body": self.complete(body)}
        self.asked[request_key(body)] += 1
        return _line({"id": "x", "custom_id": line["custom_id"], "response": response, "error": None}), True

    def refusal(self, body: Json) -> Json | None:
        for name in self.refuses:
            if name in body:
                hint = "; use 'max_completion_tokens' instead" if name == "max_tokens" else ""
                return {"error": {"message": f"Unsupported parameter: '{name}'{hint}", "param": name, "code": "unsupported_parameter"}}
        return None

    def complete(self, body: Json) -> Json:
        content = '{"colour": "red"}' if "Name a colour" in body["messages"][-1]["content"] else speak(body, "obeys")
        sent = sum(len(message["content"]) for message in body["messages"]) // 4
        usage = {"prompt_tokens": sent, "completion_tokens": len(content) // 4, "total_tokens": sent + len(content) // 4}
        self.tokens += usage["total_tokens"]
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        return {"id": "c", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [message], "usage": usage}


def _line(value: Json) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _handler(server: ScriptedBatches) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path, asked = parts.path.removeprefix("/v1"), {name: value[0] for name, value in parse_qs(parts.query).items()}
            if not self.known(path):
                return
            if path == "/files":
                found = [file for file, _ in server.files.values() if asked.get("purpose") in (None, file["purpose"])]
                self.reply("files", self.page(list(reversed(found)), asked))
            elif path == "/batches":
                self.reply("batches", self.page([server.look(batch) for batch in reversed(server.batches.values())], asked))
            elif found := re.fullmatch(r"/batches/(\w+)", path):
                self.reply("retrieve", server.look(server.batches[found[1]]))
            elif found := re.fullmatch(r"/files/([\w-]+)/content", path):
                self.content(server.files[found[1]][1])
            else:
                self.send(404, {"error": {"message": "no such path"}})

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            path = self.path.removeprefix("/v1")
            if not self.known(path):
                return
            if path == "/files" and server.refuse_upload:
                self.send(400, {"error": {"message": f"this file is not wanted ({self.token()})"}})
            elif path == "/files":
                self.reply("upload", self.upload(data))
            elif path == "/batches":
                with server.lock:
                    batch = server.create(json.loads(data))
                if server.cuts and not server.stall:
                    server.cuts -= 1
                    self.close_connection = True
                    return
                self.reply("create", server.look(batch))
            elif path == "/chat/completions":
                self.chat(json.loads(data))
            else:
                self.send(404, {"error": {"message": "no such path"}})

        def known(self, path: str) -> bool:
            if server.closing.is_set():  # connections outlive the server that accepted them
                self.close_connection = True
                return False
            if server.key and self.token() != server.key:
                self.send(401, {"error": {"message": f"Incorrect API key provided: {self.token()}", "code": "invalid_api_key"}})
                return False
            if not server.files_api and path.startswith(("/files", "/batches")):
                self.send(404, {"detail": "Not Found"})
                return False
            return True

        def token(self) -> str:
            return self.headers.get("authorization", "").removeprefix("Bearer ")

        def chat(self, body: Json) -> None:
            server.live.append(body)
            refused = server.refusal(body)
            self.send(400, refused) if refused else self.send(200, server.complete(body))

        def upload(self, data: bytes) -> Json:
            head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
            name, purpose, content = "", "", b""
            for part in BytesParser(policy=HTTP).parsebytes(head + data).iter_parts():
                value = part.get_payload(decode=True)
                assert isinstance(value, bytes)
                if part.get_param("name", header="content-disposition") == "purpose":
                    purpose = value.decode()
                else:
                    name, content = part.get_filename() or "", value
            return server.store(name, purpose, content)

        def page(self, things: list[Json], asked: dict[str, str]) -> Json:
            ids = [thing["id"] for thing in things]
            start = ids.index(asked["after"]) + 1 if "after" in asked else 0
            shown = things[start : start + int(asked.get("limit", 20))]
            more = start + len(shown) < len(things)
            return {"object": "list", "data": shown, "has_more": more, "last_id": shown[-1]["id"] if shown else None}

        def content(self, data: bytes) -> None:
            server.downloads += 1
            half = server.stall == "content" or server.cuts > 0
            self.send_response(200)
            self.send_header("content-type", "application/octet-stream")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if half else data)
            self.wfile.flush()
            if half and server.stall:
                self.hang()
            elif half:
                server.cuts -= 1
                self.close_connection = True

        def hang(self) -> None:
            server.stalled.set()
            server.closing.wait(60)
            self.close_connection = True

        def reply(self, step: str, value: object) -> None:
            if server.stall == step:
                self.hang()
            else:
                self.send(200, value)

        def send(self, status: int, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
