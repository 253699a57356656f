"""hub.py through the real huggingface_hub client, against a loopback server that speaks the Hub's protocol."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from hub_server import GIT_ATTRIBUTES, Hub, Refusal, Repo
from support import ROOT

# What lies about in somebody's folder and must never go up.
LITTER = (
    ".env",
    "input.txt",
    "tinyshakespeare.txt",
    "assets/tinyshakespeare.txt",
    "assets/.model.safetensors.1.tmp",
    "assets/state.pt",
    "assets/state.safetensors",
    "assets/snapshots/step-999999.safetensors",
    "notes.md",
    "runs/latest/model.safetensors",
    "tests/unit/test_other.py",
    "benchmarks/speed.py",
    "shakespeare_gpt/ui/__pycache__/demo.cpython-311.pyc",
    "shakespeare_gpt/ui/.cache/demo.py",
    "shakespeare_gpt/ui/.#demo.py",
    "shakespeare_gpt/model.py.orig",
)

# For each line on standard input, runs hub.main, or loads a model and prints what it writes. One process for all
# tests: importing torch takes seconds, and the client reads HF_ENDPOINT when it is imported.
WORKER = """
import contextlib, io, json, os, sys, time, traceback, types
import shakespeare_gpt as sg
from shakespeare_gpt import hub
from shakespeare_gpt.checkpoint import CheckpointError
# A Space of the stub's needs no time to start.
hub.time = types.SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None)
answers = sys.stdout
for line in sys.stdin:
    arguments, token = json.loads(line)
    os.environ.pop("HF_TOKEN", None)
    if token:
        os.environ["HF_TOKEN"] = token
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if arguments[0] == "load":
                print(sg.generate(sg.load(*arguments[1:]), "ROMEO:", 20, temperature=0))
                code = 0
            else:
                code = hub.main(arguments)
        except CheckpointError as error:
            print(error, file=err)
            code = 1
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            traceback.print_exc()
            code = 99
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def failed(self, *words: str) -> None:
        """Assert that it ended with one explained sentence which has these words in it, and no traceback."""
        assert self.code == 1, self
        assert self.out == ""
        assert "Traceback" not in self.err
        sentence = self.err.strip().splitlines()[-1]
        for word in words:
            assert word in sentence
        assert sentence.endswith((".", "?"))


def environment(home: Path, endpoint: str) -> dict[str, str]:
    """An environment without a token, whose Hub is at the endpoint."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    return kept | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which tests may change files, with litter in it."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("README.md", "LICENSE", "requirements.txt", "app.py", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("shakespeare_gpt", "assets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LITTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("SECRET")
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
def hub(server: Hub) -> Hub:
    """The stub, empty."""
    for record in (server.repos, server.requests, server.lfs, server.fail):
        record.clear()
    return server


@pytest.fixture(scope="module")
def worker(project: Path, server: Hub, tmp_path_factory: pytest.TempPathFactory):
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=project,
        env=environment(tmp_path_factory.mktemp("home"), server.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(*arguments: str, token: str | None = "hf_alice") -> Result:
        process.stdin.write(json.dumps([arguments, token]) + "\n")
        process.stdin.flush()
        return Result(*json.loads(process.stdout.readline()))

    with process:
        yield run
        process.stdin.close()


@pytest.fixture
def edit(project: Path):
    """Write a file of the project (None removes it); put back afterwards."""
    before: dict[Path, bytes | None] = {}

    def write(name: str, content: bytes | None) -> None:
        path = project / name
        before.setdefault(path, path.read_bytes() if path.exists() else None)
        path.write_bytes(content) if content is not None else path.unlink()

    yield write
    for path, content in before.items():
        path.write_bytes(content) if content is not None else path.unlink(missing_ok=True)


def listed(result: Result) -> dict[str, int]:
    """What a dry run printed: path -> size."""
    assert result.code == 0, result
    lines = [line.split(" ") for line in result.out.splitlines()]
    return {path: int(size) for path, size in lines}


def space(hub: Hub, name: str = "alice/demo") -> Repo:
    return hub.repos["space", name]


# What goes up


def test_a_dry_run_lists_paths_and_sizes_without_token_or_network(project: Path, tmp_path: Path):
    no_network = (
        "import runpy, sys\n"
        "def hook(event, _):\n"
        "    if event.startswith('socket.'): raise RuntimeError('the network was used: ' + event)\n"
        "sys.addaudithook(hook)\n"
        "sys.argv = ['hub', 'space', 'alice/demo', '--dry-run']\n"
        "try:\n"
        "    runpy.run_module('shakespeare_gpt.hub', run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    assert 'huggingface_hub' not in sys.modules and 'gradio' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", no_network],
        cwd=project,
        env=environment(tmp_path, "http://127.0.0.1:9"),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    sizes = listed(Result(done.returncode, done.stdout, done.stderr))
    assert sizes == {path: (project / path).stat().st_size for path in sizes}
    assert list(sizes) == sorted(sizes)


def test_a_space_gets_what_it_needs_and_nothing_else(worker, project: Path):
    paths = set(listed(worker("space", "alice/demo", "--dry-run", token=None)))
    needed = {
        "README.md",
        "LICENSE",
        "requirements.txt",
        "app.py",
        "assets/model.safetensors",
        "assets/config.json",
    }
    modules = {p.relative_to(project).as_posix() for p in (project / "shakespeare_gpt").glob("*.py")}
    assert needed | (modules - {"shakespeare_gpt/hub.py"}) <= paths
    shown = {
        p.relative_to(project).as_posix() for p in (project / "shakespeare_gpt/ui").glob("**/*.[pjc]*s*")
    }
    assert {path for path in shown if path.endswith((".js", ".css"))} <= paths
    assert not paths & set(LITTER)
    for path in paths:
        assert not path.startswith(("tests/", "benchmarks/", "runs/", "shakespeare_gpt/training/")), path
        assert path.startswith(("shakespeare_gpt/", "assets/")) or "/" not in path
    corpus_like = [path for path in paths if path.endswith(".txt") and path != "requirements.txt"]
    assert corpus_like == []


def test_a_model_repo_gets_three_files(worker, hub: Hub):
    sizes = listed(worker("model", "alice/model", "--dry-run", token=None))
    assert set(sizes) == {"README.md", "config.json", "model.safetensors"}
    assert hub.requests == []


def test_a_new_space_holds_exactly_the_listed_files(worker, hub: Hub, project: Path):
    sizes = listed(worker("space", "alice/demo", "--dry-run", token=None))
    result = worker("space", "alice/demo")
    assert (result.code, result.out) == (0, f"{hub.url}/spaces/alice/demo\n"), result
    [created] = hub.calls("POST /api/repos/create")
    assert created == {"name": "demo", "organization": "alice", "type": "space", "sdk": "gradio"}
    files = space(hub).files
    assert set(files) == {*sizes, ".gitattributes"}
    for path in sizes:
        assert (
            hashlib.sha256(files[path]).digest() == hashlib.sha256((project / path).read_bytes()).digest()
        ), path
    front_matter = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert front_matter["sdk"] == "gradio" and front_matter["app_file"] == "app.py"
    assert hub.calls("POST /api/validate-yaml")[0]["repoType"] == "space"


def test_the_readme_asks_for_the_gradio_of_the_requirements():
    front_matter = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    pinned = re.search(r"^gradio==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[1]
    assert front_matter["sdk_version"] == pinned
    assert front_matter["python_version"] in ("3.10", "3.12")  # the two that ZeroGPU knows; as a string


# Again


def test_a_second_call_uploads_only_changes(worker, hub: Hub, edit, project: Path):
    assert worker("space", "alice/demo").code == 0
    again = worker("space", "alice/demo")
    assert (again.code, again.out) == (0, f"{hub.url}/spaces/alice/demo\n"), again
    assert len(hub.committed()) == 1
    changed = (project / "app.py").read_bytes() + b"# changed\n"
    edit("app.py", changed)
    assert worker("space", "alice/demo").code == 0
    assert hub.committed()[1:] == [{"app.py": changed}]
    assert len(hub.calls("PUT /lfs/.*")) == len(hub.lfs), "the weights went up twice"
    assert len(hub.calls("POST /api/repos/create")) == 1


def test_stale_files_of_ours_go_and_foreign_ones_stay(worker, hub: Hub):
    assert worker("space", "alice/demo").code == 0
    foreign = {".gitattributes": GIT_ATTRIBUTES, "packages.txt": b"curl\n", "docs/note.md": b"mine\n"}
    stale = {
        "shakespeare_gpt/old.py": b"",
        "shakespeare_gpt/ui/static/old.js": b"",
        "assets/old.json": b"{}",
        "shakespeare_gpt/hub.py": b"",
    }
    space(hub).commit({**foreign, **stale})
    assert worker("space", "alice/demo").code == 0
    assert hub.committed()[1:] == [dict.fromkeys(stale)]
    assert foreign.items() <= space(hub).files.items()


def test_a_space_that_is_something_else_is_left_alone(worker, hub: Hub):
    theirs = {"app.py": b"print('mine')\n", "README.md": b"---\nsdk: gradio\n---\n", "data.csv": b"1,2\n"}
    hub.repos["space", "alice/other"] = Repo("space", {".gitattributes": b"", **theirs})
    worker("space", "alice/other").failed("alice/other", "is not this app", "--update")
    assert theirs.items() <= space(hub, "alice/other").files.items()
    assert {method for method, *_ in hub.requests} == {"GET"}

    assert worker("space", "alice/other", "--update").code == 0
    files = space(hub, "alice/other").files
    assert files["app.py"] != theirs["app.py"] and files["data.csv"] == theirs["data.csv"]


def test_an_upload_that_failed_half_way_can_be_repeated(worker, hub: Hub):
    hub.fail["POST .*/commit/main"] = Refusal(500, "Internal error")
    worker("space", "alice/demo").failed("500", "Internal error")
    assert set(space(hub).files) == {".gitattributes", "README.md"}
    assert worker("space", "alice/demo").code == 0
    assert "app.py" in space(hub).files


# Visibility and hardware


def test_private_and_hardware_are_set_when_a_space_is_created(worker, hub: Hub):
    assert worker("space", "globe/demo", "--private", "--hardware", "cpu-upgrade").code == 0
    [created] = hub.calls("POST /api/repos/create")
    assert (created["visibility"], created["hardware"]) == ("private", "cpu-upgrade")
    assert created["organization"] == "globe"


def test_private_and_hardware_are_set_on_a_space_that_exists(worker, hub: Hub):
    assert worker("space", "alice/demo").code == 0
    assert worker("space", "alice/demo", "--private", "--hardware", "t4-small").code == 0
    assert space(hub).private and space(hub).hardware == "t4-small"
    assert worker("space", "alice/demo", "--hardware", "t4-small").code == 0
    assert space(hub).private, "without the flag, visibility stays as it is"
    assert len(hub.calls("POST .*/hardware")) == 1, "the hardware was asked for although it is there"


def torch_line(files: dict[str, bytes]) -> str:
    [line] = re.findall(r"^torch\b.*$", files["requirements.txt"].decode(), re.MULTILINE)
    return line


def test_zero_gpu_gets_a_torch_that_its_machines_carry(worker, hub: Hub, project: Path):
    assert worker("space", "free/demo", "--hardware", "zero-a10g", token="hf_free").code == 0
    files = space(hub, "free/demo").files
    assert torch_line(files) == "torch>=2.9,<2.12"
    local = (project / "requirements.txt").read_text()
    others = [line for line in local.splitlines() if not line.startswith("torch")]
    assert [
        line for line in files["requirements.txt"].decode().splitlines() if line != torch_line(files)
    ] == others
    # The next call says nothing of hardware: the Space keeps its own, and so the torch that goes with it.
    assert worker("space", "free/demo", token="hf_free").code == 0
    assert len(hub.committed()) == 1
    # Back on a CPU, the requirements are the project's own again.
    assert worker("space", "free/demo", "--hardware", "cpu-upgrade", token="hf_free").code == 0
    assert space(hub, "free/demo").files["requirements.txt"].decode() == local


def test_what_zero_gpu_gets_lies_within_the_requirements(worker, project: Path):
    from packaging.requirements import Requirement
    from packaging.version import Version

    ours = Requirement(
        torch_line({"requirements.txt": (project / "requirements.txt").read_bytes()})
    ).specifier
    carried = [Version(v) for v in ("2.9.1", "2.10.0", "2.11.0")]
    theirs = Requirement("torch>=2.9,<2.12").specifier
    assert all(version in ours and version in theirs for version in carried)


# Waiting


def test_it_waits_until_the_space_runs(worker, hub: Hub):
    hub.repos["space", "alice/demo"] = Repo(
        "space", runtimes=[{"stage": s} for s in ("BUILDING", "BUILDING", "APP_STARTING", "RUNNING")]
    )
    result = worker("space", "alice/demo")
    assert result.code == 0
    told = [line for line in result.err.splitlines() if line.startswith("The Space is")]
    assert told == [f"The Space is {stage}." for stage in ("building", "app starting", "running")]


def test_the_stage_of_an_older_commit_is_not_taken_for_ours(worker, hub: Hub):
    older = "1" * 40
    hub.repos["space", "alice/demo"] = Repo(
        "space",
        runtimes=[
            {"stage": "RUNNING", "sha": older},  # asked for its hardware
            {"stage": "RUNNING", "sha": older},
            {"stage": "BUILD_ERROR", "sha": older},
            {"stage": "RUNNING_BUILDING"},
            {"stage": "RUNNING"},
        ],
    )
    result = worker("space", "alice/demo")
    assert result.code == 0, result
    assert "The Space is running building." in result.err
    assert len(hub.calls("GET .*/runtime")) == 5


def test_a_question_that_got_lost_does_not_end_the_wait(worker, hub: Hub):
    hub.repos["space", "alice/demo"] = Repo(
        "space", runtimes=[{"stage": "BUILDING"}, {"fail": 503}, {"fail": 502}, {"stage": "RUNNING"}]
    )
    assert worker("space", "alice/demo").code == 0


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("BUILD_ERROR", ("could not be built", "no matching distribution", "logs")),
        ("RUNTIME_ERROR", ("stopped with an error", "logs")),
        ("CONFIG_ERROR", ("README.md",)),
        ("PAUSED", ("is paused",)),
    ],
)
def test_a_space_that_does_not_come_up_is_an_error(worker, hub: Hub, stage: str, words: tuple[str, ...]):
    said = {"stage": stage, "errorMessage": "no matching\ndistribution"}
    hub.repos["space", "alice/demo"] = Repo("space", runtimes=[{"stage": "BUILDING"}, said])
    result = worker("space", "alice/demo")
    result.failed(*words, f"{hub.url}/spaces/alice/demo")


# What can go wrong


def test_without_a_token_it_says_how_to_get_one(worker, hub: Hub):
    for command in ("space", "model"):
        worker(command, "alice/demo", token=None).failed("No Hub token", "hf auth login", "HF_TOKEN")
    assert hub.requests == []


def test_a_token_that_the_hub_does_not_know(worker, hub: Hub):
    worker("space", "alice/demo", token="hf_wrong").failed("does not accept this token", "hf auth login")


@pytest.mark.parametrize("command", ["space", "model"])
def test_a_namespace_that_is_not_yours(worker, hub: Hub, command: str):
    worker(command, "mallory/demo").failed("mallory is not yours", "alice, globe")
    assert hub.repos == {}


@pytest.mark.parametrize("command", ["space", "model"])
def test_a_namespace_that_is_not_yours_for_a_token_that_may_not_say_whose_it_is(
    worker, hub: Hub, command: str
):
    hub.fail["GET /api/whoami-v2"] = Refusal(403, "This token may not do that")
    worker(command, "mallory/demo").failed("may not write to mallory/demo", "write access")


def test_somebody_elses_space_with_this_app(worker, hub: Hub):
    files = {"app.py": b"", "shakespeare_gpt/model.py": b""}
    hub.repos["space", "mallory/demo"] = Repo("space", dict(files))
    hub.fail["GET /api/whoami-v2"] = Refusal(403, "This token may not do that")
    worker("space", "mallory/demo").failed("may not write to mallory/demo")
    assert space(hub, "mallory/demo").files == files


def test_a_plan_that_does_not_allow_it(worker, hub: Hub):
    worker("space", "free/demo", token="hf_free").failed("paid plan", "--hardware zero-a10g")


def test_too_many_requests(worker, hub: Hub):
    hub.fail["POST /api/repos/create"] = Refusal(429, "You have created 100 repos today")
    worker("space", "alice/demo").failed("100 repos today", "try again")


@pytest.mark.parametrize("command", ["space", "model"])
def test_no_network(worker, hub: Hub, command: str):
    with hub.down():
        worker(command, "alice/demo").failed("Could not reach the Hub", "connection")


def test_the_network_fails_during_the_upload(worker, hub: Hub):
    hub.fail["POST .*/commit/main"] = Refusal(0, "The line is cut")
    worker("space", "alice/demo").failed("Could not reach the Hub")


def test_front_matter_that_the_hub_refuses(worker, hub: Hub, edit, project: Path):
    readme = (project / "README.md").read_bytes()
    edit("README.md", re.sub(rb"(?m)^colorFrom: .*$", b"colorFrom: mauve", readme))
    worker("space", "alice/demo").failed("README.md", "colorFrom")


@pytest.mark.parametrize("content", [b"# Shakespeare GPT\n", b"---\ntitle: x\n---\nsdk: gradio\n---\n", b""])
def test_a_readme_that_configures_no_space(worker, hub: Hub, edit, content: bytes):
    edit("README.md", content)
    worker("space", "alice/demo").failed("README.md", "sdk: gradio")
    assert hub.calls("POST .*") == []


@pytest.mark.parametrize("name", ["README.md", "app.py", "requirements.txt", "assets/model.safetensors"])
def test_a_file_that_is_missing_here(worker, hub: Hub, edit, name: str):
    edit(name, None)
    worker("space", "alice/demo").failed(Path(name).name)
    assert hub.calls("POST .*") == []


@pytest.mark.parametrize("command", ["space", "model"])
def test_a_checkpoint_that_is_damaged_stays_here(worker, hub: Hub, edit, project: Path, command: str):
    edit("assets/model.safetensors", (project / "assets/model.safetensors").read_bytes()[:1000])
    worker(command, "alice/demo").failed("model.safetensors", "damaged")
    assert hub.requests == []


@pytest.mark.parametrize(
    "name", ["demo", "a/b/c", "../x", "alice/", "/demo", "alice/de mo", "alice/" + "x" * 99]
)
def test_a_name_that_is_none(worker, hub: Hub, name: str):
    result = worker("space", name)
    assert result.code == 2 and "USER/NAME" in result.err and hub.requests == []


def test_help_tells_every_option_and_default(worker):
    result = worker("space", "--help")
    assert result.code == 0
    for option in ("--dry-run", "--private", "--hardware", "--update", "default:"):
        assert option in result.out
    assert "--hardware" not in worker("model", "--help").out


# The model


def test_a_published_model_can_be_loaded(worker, hub: Hub, project: Path):
    result = worker("model", "alice/model")
    assert (result.code, result.out) == (0, f"{hub.url}/alice/model\n"), result
    repo = hub.repos["model", "alice/model"]
    for name in ("config.json", "model.safetensors"):
        assert repo.files[name] == (project / "assets" / name).read_bytes()
    there, here = worker("load", "alice/model", token=None), worker("load", token=None)
    assert there.code == 0 and there.out == here.out, there
    assert hub.calls("GET /alice/model/resolve/.*/model.safetensors")


def test_the_model_card_tells_the_truth(worker, hub: Hub, project: Path, model):
    assert worker("model", "alice/model", "--private").code == 0
    repo = hub.repos["model", "alice/model"]
    assert repo.private
    card = repo.files["README.md"].decode()
    front_matter = yaml.safe_load(card.split("---\n")[1])
    assert (front_matter["license"], front_matter["language"]) == ("mit", "en")
    assert front_matter["pipeline_tag"] == "text-generation"
    assert front_matter["datasets"] == ["karpathy/tiny_shakespeare"]
    config = json.loads((project / "assets/config.json").read_text(encoding="utf-8"))
    loss = config["training"]["validation_loss"]
    [result] = front_matter["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == loss
    assert f"| {loss:.4f} |" in card
    assert f"| {model.num_parameters():,} |" in card
    assert f"`{config['sha256']}`" in card and f"`{config['training']['corpus_sha256']}`" in card
    for name, value in config["training"]["recipe"].items():
        assert f"| `{name}` | {value} |" in card
    assert f"| {config['training']['characters']:,}, " in card
    assert 'sg.load("alice/model")' in card
    assert "1,003,854" in card and "111,540" in card  # the split, as others publish it
    for heading in ("How to load it", "Data and split", "Training", "Loss", "its limits"):
        assert re.search(rf"^## .*{heading}$", card, re.MULTILINE), heading
    assert "None" not in card and "{" not in card


def test_a_model_of_another_run_does_not_lend_its_history(worker, hub: Hub, edit, project: Path):
    record = json.loads((project / "assets/training.json").read_text(encoding="utf-8"))
    last = f"{record['history'][-1]['training_loss']:.4f}"
    worker("model", "alice/model")
    assert last in hub.repos["model", "alice/model"].files["README.md"].decode()
    edit("assets/training.json", json.dumps(record | {"sha256": "0" * 64}).encode())
    worker("model", "alice/model")
    assert last not in hub.repos["model", "alice/model"].files["README.md"].decode()
    assert set(hub.committed()[-1]) == {"README.md"}, "only the card has changed"


def test_a_repo_with_another_model_is_left_alone(worker, hub: Hub):
    theirs = {".gitattributes": b"", "config.json": b'{"model_type": "gpt2"}', "model.safetensors": b"x"}
    hub.repos["model", "alice/other"] = Repo("model", dict(theirs))
    worker("model", "alice/other").failed("alice/other", "another model", "--update")
    assert hub.repos["model", "alice/other"].files == theirs
    assert worker("model", "alice/other", "--update").code == 0
    assert hub.repos["model", "alice/other"].files["model.safetensors"] != b"x"
    assert worker("model", "alice/other").code == 0, "now it is ours"


@pytest.mark.parametrize(
    ("name", "repo"), [("private", Repo("model", private=True)), ("empty", Repo("model")), ("nothing", None)]
)
def test_loading_from_the_hub_explains_what_went_wrong(worker, hub: Hub, name: str, repo: Repo | None):
    if repo:
        hub.repos["model", f"alice/{name}"] = repo
    missing = "Entry not found" if name == "empty" else "Repository not found"
    worker("load", f"alice/{name}", token=None).failed(f"alice/{name}", missing, "token")


def test_loading_without_a_network(worker, hub: Hub):
    with hub.down():
        worker("load", "alice/never-seen").failed("Could not", "the Hub", "alice/never-seen")
