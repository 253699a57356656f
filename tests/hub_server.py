"""A loopback server that speaks the Hugging Face Hub's protocol for what hub.py and load do.

It keeps what is committed in memory, checks what the Hub checks (token, namespace, front matter, hashes), and
writes down every request, so that a test can ask what was sent and what was not. Xet must be switched off in
the client: its protocol is not documented.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

TOKENS = {"hf_alice": {"name": "alice", "orgs": [{"name": "globe"}]}, "hf_free": {"name": "free", "orgs": []}}
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
GIT_ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


@dataclass
class Commit:
    """A moment of a repo: its files then."""

    sha: str
    title: str
    files: dict[str, bytes]


@dataclass
class Repo:
    """A repo on the stub: its files, and for a Space how it fares."""

    kind: str
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": GIT_ATTRIBUTES})
    head: str = "0" * 40
    private: bool = False
    hardware: str | None = None
    runtimes: list[dict] = field(
        default_factory=list
    )  # what /runtime answers, one after the other; the last stays
    commits: list[Commit] = field(default_factory=list)  # the last one first
    logs: dict[str, list[str]] = field(default_factory=dict)  # "build" and "run": their lines

    def __post_init__(self) -> None:
        if not self.commits:
            self.commit({}, "initial commit")

    def is_lfs(self, path: str) -> bool:
        return path.endswith(".safetensors")

    def oid(self, path: str, files: dict[str, bytes] | None = None) -> str:
        content = (self.files if files is None else files)[path]
        if self.is_lfs(path):
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def commit(self, changes: dict[str, bytes | None], title: str = "Update by hand") -> str:
        for path, content in changes.items():
            if content is None:
                del self.files[path]
            else:
                self.files[path] = content
        state = "".join(path + self.oid(path) for path in sorted(self.files))
        self.head = hashlib.sha1((self.head + state).encode()).hexdigest()
        self.commits.insert(0, Commit(self.head, title, dict(self.files)))
        return self.head

    def at(self, revision: str) -> dict[str, bytes]:
        """The files at a commit."""
        return next((c.files for c in self.commits if revision in ("main", c.sha)), self.files)


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(
        self, status: int, message: str, code: str | None = None, page: bytes | None = None, **body: object
    ) -> None:
        self.status, self.message, self.code, self.page, self.body = status, message, code, page, body


class Hub:
    """The stub's state: `repos` by (kind, "user/name"), and `requests` as (method, path, payload)."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.requests: list[tuple[str, str, object]] = []
        self.lfs: dict[str, bytes] = {}
        self.silent = False
        self.late = False  # a commit that goes unanswered is made all the same
        self.hangs = ""  # regular expression of the "METHOD path" that is never answered
        self.hanging, self._go = threading.Event(), threading.Event()
        # Regular expression of "METHOD path" -> what to answer: once, or each of several once.
        self.fail: dict[str, Refusal | list[Refusal]] = {}

    def __enter__(self) -> Hub:
        self.start(0)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @contextmanager
    def down(self) -> Iterator[None]:
        """As long as the block lasts, nobody answers, not even on a connection that is open already."""
        self.stop()
        self.silent = True
        try:
            yield
        finally:
            self.silent = False
            self.start(self.port)

    def clear(self) -> None:
        """Empty, and answering."""
        for record in (self.repos, self.requests, self.lfs, self.fail):
            record.clear()
        self.late, self.hangs = False, ""
        self.hanging.clear()
        self._go.clear()

    def hang(self, call: str) -> None:
        """If it is a call that is never answered, until `let_go`."""
        if self.hangs and re.fullmatch(self.hangs, call):
            self.hanging.set()
            self._go.wait()
            raise Refusal(0, "")

    def let_go(self) -> None:
        self._go.set()

    def calls(self, pattern: str) -> list[object]:
        """The payloads of the requests whose "METHOD path" matches."""
        return [
            payload for method, path, payload in self.requests if re.fullmatch(pattern, f"{method} {path}")
        ]

    def committed(self) -> list[dict[str, bytes | None]]:
        """What each commit changed: path -> new content, or None where it was deleted."""
        return [self.changes(lines) for lines in self.calls("POST .*/commit/main")]

    def changes(self, lines: list[dict]) -> dict[str, bytes | None]:
        changes: dict[str, bytes | None] = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                changes[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.lfs or len(self.lfs[value["oid"]]) != value["size"]:
                    raise Refusal(400, "The LFS object was never uploaded")
                changes[value["path"]] = self.lfs[value["oid"]]
            elif line["key"] == "deletedFile":
                changes[value["path"]] = None
        return changes

    # Each route: pattern of "METHOD path", then the function that answers with JSON.

    def answer(self, method: str, path: str, payload: object, token: str | None) -> object:
        for pattern, refusal in list(self.fail.items()):
            if re.fullmatch(pattern, f"{method} {path}"):
                several = refusal if isinstance(refusal, list) else [refusal]
                now = several.pop(0)
                if not several:
                    del self.fail[pattern]
                if self.late and "/commit/" in path:
                    kind, name = re.fullmatch(rf"/api/{KIND}/{NAME}/commit/main", path).groups()
                    self.commit(payload, TOKENS.get(token or ""), kind, name)
                raise now
        if token is not None and token not in TOKENS:
            raise Refusal(401, "Invalid credentials in Authorization header")
        who = TOKENS.get(token or "")
        for pattern, function in ROUTES:
            if match := re.fullmatch(pattern, f"{method} {path}"):
                return function(self, payload, who, *(unquote(group) for group in match.groups()))
        raise Refusal(404, f"The stub has no {method} {path}")

    def repo(self, kind: str, name: str, who: dict | None) -> Repo:
        repo = self.repos.get((kind.rstrip("s"), name))
        if repo is None or (repo.private and not may_write(who, name)):
            raise Refusal(404 if who else 401, "Repository not found", "RepoNotFound")
        return repo

    def writable(self, kind: str, name: str, who: dict | None) -> Repo:
        repo = self.repo(kind, name, who)
        if not may_write(who, name):
            raise Refusal(403, "You don't have write access to this repo")
        return repo

    def whoami(self, _payload: object, who: dict | None) -> dict:
        if who is None:
            raise Refusal(401, "Invalid username or password.")
        return {"type": "user", **who}

    def create(self, payload: dict, who: dict | None) -> dict:
        owner = payload.get("organization") or who["name"]
        name, kind = f"{owner}/{payload['name']}", payload.get("type", "model")
        if not may_write(who, name):
            raise Refusal(403, f'You don\'t have the rights to create a {kind} under the namespace "{owner}"')
        if (kind, name) in self.repos:
            raise Refusal(409, f"You already created this {kind} repo")
        hardware = payload.get("hardware", "cpu-basic") if kind == "space" else None
        if who["name"] == "free" and hardware == "cpu-basic":
            raise Refusal(402, "A PRO subscription is required to host a Gradio Space on cpu-basic")
        repo = self.repos[kind, name] = Repo(kind, hardware=hardware)
        repo.private = payload.get("visibility") == "private"
        if kind == "space":
            readme = f"---\ntitle: {name}\nsdk: {payload['sdk']}\n---\n".encode()
            repo.files["README.md"] = repo.commits[0].files["README.md"] = readme
        return {"url": f"{self.url}/{kind}s/{name}", "name": name}

    def validate_yaml(self, payload: dict, _who: object) -> dict:
        front = re.match(r"---\n(.*?)\n---\n", payload["content"], re.DOTALL)
        data = yaml.safe_load(front[1]) if front else {}
        errors = []
        if payload["repoType"] == "space":
            errors = [f'"{key}" is required' for key in ("sdk", "title") if key not in data]
            errors += [
                f'"{key}" is no colour'
                for key in ("colorFrom", "colorTo")
                if data.get(key, "red") not in COLORS
            ]
            if len(data.get("short_description", "")) > 60:
                errors.append('"short_description" is longer than 60 characters')
        if errors:
            raise Refusal(400, "Invalid metadata", errors=[{"message": e} for e in errors], warnings=[])
        return {"errors": [], "warnings": []}

    def preupload(self, payload: dict, who: dict | None, kind: str, name: str) -> dict:
        repo = self.writable(kind, name, who)
        files = []
        for file in payload["files"]:
            path = file["path"]
            files.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if repo.is_lfs(path) else "regular",
                    "shouldIgnore": False,
                    **({"oid": repo.oid(path)} if path in repo.files else {}),
                }
            )
        return {"files": files}

    def lfs_batch(self, payload: dict, who: dict | None, spaces: str, name: str) -> dict:
        self.writable(spaces or "models", name, who)
        objects = []
        for asked in payload["objects"]:
            answer = dict(asked)
            if asked["oid"] not in self.lfs:
                answer["actions"] = {
                    "upload": {"href": f"{self.url}/lfs/{asked['oid']}"},
                    "verify": {"href": f"{self.url}/lfs/{asked['oid']}/verify"},
                }
            objects.append(answer)
        return {"transfer": "basic", "objects": objects}

    def lfs_put(self, payload: bytes, _who: object, oid: str) -> dict:
        if hashlib.sha256(payload).hexdigest() != oid:
            raise Refusal(400, "The content does not have this sha256")
        self.lfs[oid] = payload
        return {}

    def lfs_verify(self, payload: dict, _who: object, oid: str) -> dict:
        if payload != {"oid": oid, "size": len(self.lfs[oid])}:
            raise Refusal(400, "Not what was uploaded")
        return {}

    def commit(self, payload: list[dict], who: dict | None, kind: str, name: str) -> dict:
        repo = self.writable(kind, name, who)
        [header] = [line["value"] for line in payload if line["key"] == "header"]
        if header.get("parentCommit", repo.head) != repo.head:
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        head = repo.commit(self.changes(payload), header["summary"])
        return {"success": True, "commitOid": head, "commitUrl": f"{self.url}/{name}/commit/{head}"}

    def tree(self, _payload: object, who: dict | None, kind: str, name: str, revision: str) -> list[dict]:
        repo = self.repo(kind, name, who)
        files = repo.at(revision)
        folders = {path.rpartition("/")[0] for path in files} - {""}
        entries: list[dict] = [{"type": "directory", "path": path, "oid": "0" * 40} for path in folders]
        for path, content in sorted(files.items()):
            entry = {"type": "file", "path": path, "size": len(content), "oid": repo.oid(path, files)}
            if repo.is_lfs(path):  # the oid is then that of the pointer
                lfs = {"oid": entry["oid"], "size": len(content), "pointerSize": 130}
                entry |= {"oid": "1" * 40, "lfs": lfs}
            entries.append(entry)
        return entries

    def history(self, _payload: object, who: dict | None, kind: str, name: str) -> list[dict]:
        commits = self.repo(kind, name, who).commits
        told = {"message": "", "date": "2026-11-28T12:00:00.000Z", "authors": [{"user": "alice"}]}
        return [{"id": commit.sha, "title": commit.title, **told} for commit in commits]

    def log(self, _payload: object, who: dict | None, name: str, which: str) -> list[str]:
        return self.repo("spaces", name, who).logs.get(which, [])

    def info(self, _payload: object, who: dict | None, kind: str, name: str) -> dict:
        repo = self.repo(kind, name, who)
        siblings = [{"rfilename": path} for path in repo.files]
        return {"id": name, "sha": repo.head, "private": repo.private, "siblings": siblings, "tags": []}

    def settings(self, payload: dict, who: dict | None, kind: str, name: str) -> dict:
        self.writable(kind, name, who).private = payload["visibility"] == "private"
        return {}

    def set_hardware(self, payload: dict, who: dict | None, name: str) -> dict:
        repo = self.writable("spaces", name, who)
        repo.hardware = payload["flavor"]
        return self.stage(repo, {"stage": "RUNNING_BUILDING"})

    def runtime(self, _payload: object, who: dict | None, name: str) -> dict:
        repo = self.repo("spaces", name, who)
        told = (
            repo.runtimes.pop(0) if len(repo.runtimes) > 1 else (repo.runtimes or [{"stage": "RUNNING"}])[0]
        )
        if "fail" in told:
            raise Refusal(told["fail"], "Try later")
        return self.stage(repo, told)

    def stage(self, repo: Repo, told: dict) -> dict:
        """As the production Hub answers: which commit it speaks of, it says of a Space that is built, and not before."""
        hardware = {"current": None, "requested": repo.hardware}
        answer = {"hardware": hardware, "gcTimeout": 172800, **told}
        if told["stage"] in ("RUNNING", "SLEEPING", "RUNNING_BUILDING", "RUNNING_APP_STARTING"):
            answer.setdefault("sha", repo.head)
        return answer


def may_write(who: dict | None, name: str) -> bool:
    return who is not None and name.split("/")[0] in {who["name"], *(org["name"] for org in who["orgs"])}


KIND, NAME = r"(models|spaces)", r"([\w.-]+/[\w.-]+)"
ROUTES = [
    (r"GET /api/whoami-v2", Hub.whoami),
    (r"POST /api/repos/create", Hub.create),
    (r"POST /api/validate-yaml", Hub.validate_yaml),
    (rf"POST /api/{KIND}/{NAME}/preupload/main", Hub.preupload),
    (rf"POST /(spaces|)/?{NAME}\.git/info/lfs/objects/batch", Hub.lfs_batch),
    (r"PUT /lfs/(\w+)", Hub.lfs_put),
    (r"POST /lfs/(\w+)/verify", Hub.lfs_verify),
    (rf"POST /api/{KIND}/{NAME}/commit/main", Hub.commit),
    (rf"GET /api/{KIND}/{NAME}/tree/(\w+)", Hub.tree),
    (rf"GET /api/{KIND}/{NAME}/commits/main", Hub.history),
    (rf"GET /api/{KIND}/{NAME}(?:/revision/main)?", Hub.info),
    (rf"PUT /api/{KIND}/{NAME}/settings", Hub.settings),
    (rf"POST /api/spaces/{NAME}/hardware", Hub.set_hardware),
    (rf"GET /api/spaces/{NAME}/runtime", Hub.runtime),
]


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        if self.hub.silent:
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "")
        payload: object = body
        if "ndjson" in kind:
            payload = [json.loads(line) for line in body.splitlines()]
        elif "json" in kind:
            payload = json.loads(body)
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, path, payload))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        headers, status = {"Content-Type": "application/json"}, 200
        try:
            self.hub.hang(f"{self.command} {path}")
            if resolve := re.fullmatch(rf"(?:(spaces)/)?/?{NAME}/resolve/(main|\w+)/(.+)", path.lstrip("/")):
                answer, headers = self.file(*resolve.groups(), token)
            elif log := re.fullmatch(rf"/api/spaces/{NAME}/logs/(build|run)", path):
                lines = self.hub.log(None, TOKENS.get(token or ""), *log.groups())
                events = [
                    json.dumps({"data": f"{line}\n", "timestamp": "2026-01-01T00:00:00Z"}) for line in lines
                ]
                answer = "".join(f"data: {event}\n\n" for event in events).encode()
                headers["Content-Type"] = "text/event-stream"
            else:
                answer = json.dumps(self.hub.answer(self.command, path, payload, token)).encode()
        except Refusal as refusal:
            if not refusal.status:  # no answer at all, and the connection is closed
                self.close_connection = True
                return
            status = refusal.status
            answer = json.dumps({"error": refusal.message, **refusal.body}).encode()
            headers["X-Error-Message"] = refusal.message
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
            if refusal.page:  # of somebody between here and the Hub
                answer, headers = refusal.page, {"Content-Type": "text/html"}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any

    def file(self, kind: str | None, name: str, _revision: str, path: str, token: str | None):
        """A file's content and the headers by which the client caches it."""
        repo = self.hub.repo(kind or "models", name, TOKENS.get(token or ""))
        if path not in repo.files:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        return repo.files[path], {
            "ETag": f'"{repo.oid(path)}"',
            "X-Repo-Commit": repo.head,
            "Content-Type": "application/octet-stream",
        }

    def log_message(self, *_: object) -> None:
        pass
