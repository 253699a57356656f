"""What goes up to a Space, and what becomes of what lies there: new, again, somebody else's, edited, deleted."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hub_server import Hub, Refusal, Repo
from hub_worker import LITTER, Result, environment, listed, space
from shakespeare_gpt.cli import COMMANDS
from shakespeare_gpt.hub import plan as planning
from shakespeare_gpt.hub.client import HubError
from shakespeare_gpt.hub.plan import Plan, agreed
from support import ROOT

# What goes up


def test_a_dry_run_without_a_token_lists_what_a_new_space_would_hold_and_uses_no_network(
    project: Path, tmp_path: Path
):
    no_network = (
        "import runpy, sys\n"
        "def hook(event, _):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): raise RuntimeError('the network was used')\n"
        "sys.addaudithook(hook)\n"
        "sys.argv = ['hub', 'space', 'alice/demo', '--dry-run']\n"
        "try:\n"
        "    runpy.run_module('shakespeare_gpt.hub', run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    assert 'gradio' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", no_network],
        cwd=project,
        env=environment(tmp_path, "http://127.0.0.1:9"),
        capture_output=True,
        text=True,
    )
    assert "Without a Hub token" in done.stderr and "Traceback" not in done.stderr
    there = listed(Result(done.returncode, done.stdout, done.stderr))
    assert {what for what, _ in there.values()} == {"new"}
    assert list(there) == sorted(there)
    own = {path: (project / path).stat().st_size for path in there}
    differ = {path for path, (_, size) in there.items() if size != own[path]}
    assert differ == {"README.md", "requirements.txt"}  # the links, and the torch
    total = done.stdout.splitlines()[-1]
    assert total.startswith(f"{len(there)} files, ") and f"{len(there)} to send" in total


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
    package = project / "shakespeare_gpt"
    modules = {p.relative_to(project).as_posix() for p in package.glob("*.py")}
    shown = {p.relative_to(project).as_posix() for s in ("js", "css") for p in package.glob(f"ui/**/*.{s}")}
    assert needed | modules | shown <= paths
    assert not paths & set(LITTER)
    for path in paths:
        assert not path.startswith(("tests/", "benchmarks/", "runs/")), path
        assert path.startswith(("shakespeare_gpt/", "assets/")) or "/" not in path
    corpus_like = [path for path in paths if path.endswith(".txt") and path != "requirements.txt"]
    assert corpus_like == []


def test_from_the_files_of_a_space_the_page_can_be_installed(worker):
    """Each file that pyproject.toml names lies there: `pip install FOLDER` of a download of them."""
    paths = set(listed(worker("space", "alice/demo", "--dry-run", token=None)))
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.search(r"force-include\]\n(.*?)\n\n", text, re.DOTALL)[1]
    for name in re.findall(r'^"([^"]+)" =', named, re.MULTILINE):
        assert any(path == name or path.startswith(f"{name}/") for path in paths), name
    for module, _ in COMMANDS.values():
        assert f"shakespeare_gpt/{module.replace('.', '/')}.py" in paths


def test_a_model_repo_gets_three_files(worker, hub: Hub):
    there = listed(worker("model", "alice/model", "--dry-run", token=None))
    assert set(there) == {"README.md", "config.json", "model.safetensors"}
    assert hub.requests == []


def test_a_new_space_holds_exactly_the_listed_files(worker, hub: Hub, project: Path):
    there = listed(worker("space", "alice/demo", "--dry-run"))
    assert hub.calls("POST .*") == [] == hub.calls("PUT .*")
    result = worker("space", "alice/demo")
    assert (result.code, result.out) == (0, f"{hub.url}/spaces/alice/demo\n"), result
    [created] = hub.calls("POST /api/repos/create")
    assert created == {"name": "demo", "organization": "alice", "type": "space", "sdk": "gradio"}
    files = space(hub).files
    assert set(files) == {*there, ".gitattributes"}
    for path in there.keys() - {"README.md", "requirements.txt"}:
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
    assert front_matter["datasets"] == ["karpathy/tiny_shakespeare"]
    assert "suggested_hardware" not in front_matter  # who duplicates it may not have what it would name


def test_links_of_the_readme_lead_to_files_that_are_there(worker, hub: Hub):
    assert worker("space", "alice/demo").code == 0
    files = space(hub).files
    text = files["README.md"].decode()
    links = re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", text)
    base = re.escape(f"{hub.url}/spaces/alice/demo/")
    ours = [match[1] for link in links if (match := re.fullmatch(rf"{base}(?:blob|resolve)/main/(.+)", link))]
    assert {"assets/page.png", "shakespeare_gpt/training/README.md"} <= set(ours) <= set(files)
    assert [link for link in links if not link.startswith(("http", "#"))] == []


def test_a_space_names_the_model_of_the_same_name(worker, hub: Hub):
    assert worker("space", "alice/demo").code == 0
    assert b"models:" not in space(hub).files["README.md"]
    assert worker("model", "alice/demo").code == 0
    assert worker("space", "alice/demo").code == 0
    front_matter = yaml.safe_load(space(hub).files["README.md"].decode().split("---\n")[1])
    assert front_matter["models"] == ["alice/demo"]


# Again


def test_a_second_call_uploads_only_changes(worker, hub: Hub, edit, project: Path):
    assert worker("space", "alice/demo").code == 0
    again = worker("space", "alice/demo")
    assert (again.code, again.out) == (0, f"{hub.url}/spaces/alice/demo\n"), again
    assert len(hub.committed()) == 1
    changed = (project / "app.py").read_bytes() + b"# changed\n"
    edit("app.py", changed)
    told = listed(worker("space", "alice/demo", "--dry-run"))
    assert {path for path, (what, _) in told.items() if what != "same"} == {"app.py"}
    assert worker("space", "alice/demo").code == 0
    assert hub.committed()[1:] == [{"app.py": changed}]
    assert len(hub.calls("PUT /lfs/.*")) == len(hub.lfs), "the weights went up twice"
    assert len(hub.calls("POST /api/repos/create")) == 1


def test_what_an_earlier_version_has_put_there_goes_without_a_question(worker, hub: Hub, edit):
    edit("shakespeare_gpt/old.py", b"")
    edit("shakespeare_gpt/ui/core/old.js", b"")
    assert worker("space", "alice/demo").code == 0
    edit("shakespeare_gpt/old.py", None)
    edit("shakespeare_gpt/ui/core/old.js", None)
    told = listed(worker("space", "alice/demo", "--dry-run"))
    stale = {"shakespeare_gpt/old.py", "shakespeare_gpt/ui/core/old.js"}
    assert {path for path, (what, _) in told.items() if what == "deleted"} == stale
    result = worker("space", "alice/demo")
    assert result.code == 0 and "Deleted: shakespeare_gpt/old.py" in result.err
    assert hub.committed()[1:] == [dict.fromkeys(stale)]


def test_what_others_have_put_there_stays_and_is_told(worker, hub: Hub):
    assert worker("space", "alice/demo").code == 0
    foreign = {
        "packages.txt": b"curl\n",
        "pre-requirements.txt": b"pip\n",
        "docs/note.md": b"mine\n",
        "assets/holiday.jpg": b"jpg",
        "assets/data/results.csv": b"1,2\n",
    }
    space(hub).commit(foreign)
    told = worker("space", "alice/demo", "--dry-run")
    assert {path for path, (what, _) in listed(told).items() if what == "left"} == set(foreign)
    assert re.search(r"left +packages.txt   \(the Space's builder reads it\)", told.out)
    result = worker("space", "alice/demo")
    assert result.code == 0 and len(hub.committed()) == 1
    assert "Left alone: pre-requirements.txt   (the Space's builder reads it)" in result.err
    assert foreign.items() <= space(hub).files.items()


@pytest.mark.parametrize(
    "path", ["README.md", "requirements.txt", "shakespeare_gpt/mine.py", "assets/mine.json"]
)
def test_what_was_changed_there_by_hand_is_asked_for(worker, hub: Hub, path: str):
    """An edited card, another requirement, a module or a file that looks like one of ours."""
    assert worker("space", "alice/demo").code == 0
    space(hub).commit({path: b"---\nsdk: gradio\n---\nby hand\n"})
    worker("space", "alice/demo").failed("alice/demo", path, "--yes", "--dry-run")
    assert len(hub.committed()) == 1
    assert re.search(
        rf"{re.escape(path)}   \(not as this command", worker("space", "alice/demo", "--dry-run").out
    )
    result = worker("space", "alice/demo", "--yes")
    assert result.code == 0
    assert hub.committed()[1].keys() == {path}
    assert worker("space", "alice/demo").code == 0, "and now it is as we put it there"


def test_a_readme_written_by_hand_is_not_overwritten_without_a_question(worker, hub: Hub):
    hub.repos["space", "alice/demo"] = Repo("space")
    space(hub).commit({"README.md": b"---\nsdk: gradio\ntitle: Mine\n---\nMy words.\n"})
    worker("space", "alice/demo").failed("README.md", "--yes")
    assert b"My words" in space(hub).files["README.md"]
    assert worker("space", "alice/demo", "--yes").code == 0
    assert "app.py" in space(hub).files


def test_a_space_that_is_something_else_is_left_alone(worker, hub: Hub):
    theirs = {"app.py": b"print('mine')\n", "README.md": b"---\nsdk: gradio\n---\n", "data.csv": b"1,2\n"}
    hub.repos["space", "alice/other"] = Repo("space", {".gitattributes": b"", **theirs})
    worker("space", "alice/other").failed("alice/other", "is not this app", "--update")
    assert theirs.items() <= space(hub, "alice/other").files.items()
    worker("space", "alice/other", "--update").failed("2 files", "--yes")
    assert {method for method, *_ in hub.requests} <= {"GET", "HEAD"}

    assert worker("space", "alice/other", "--update", "--yes").code == 0
    files = space(hub, "alice/other").files
    assert files["app.py"] != theirs["app.py"] and files["data.csv"] == theirs["data.csv"]


def test_an_upload_that_failed_half_way_can_be_repeated(worker, hub: Hub):
    hub.fail["POST .*/commit/main"] = Refusal(400, "No")
    worker("space", "alice/demo").failed("400")
    assert set(space(hub).files) == {".gitattributes", "README.md"}
    assert worker("space", "alice/demo").code == 0
    assert "app.py" in space(hub).files


def test_somebody_else_who_commits_meanwhile_is_not_overwritten(worker, hub: Hub, edit):
    assert worker("space", "alice/demo").code == 0
    edit("app.py", b"# changed\n")
    hub.fail["POST .*/commit/main"] = Refusal(
        412, "A commit has happened since. Please refresh and try again."
    )
    worker("space", "alice/demo").failed("changed alice/demo just now", "same command again")


@pytest.mark.parametrize(
    ("answer", "goes_on"), [("y\n", True), ("yes\n", True), ("\n", False), ("no\n", False), ("", False)]
)
def test_a_person_is_asked_before_something_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, answer: str, goes_on: bool
):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(planning.sys, "stdin", Terminal(answer))
    made = Plan({"README.md": b"ours"}, changed=["README.md"], costs=["README.md"])
    if goes_on:
        agreed(made, "alice/demo", False)
    else:
        with pytest.raises(HubError, match="Nothing was changed"):
            agreed(made, "alice/demo", False)
    asked = capsys.readouterr().err
    assert "Overwritten: README.md" in asked and "1 file of alice/demo" in asked and "[y/N]" in asked


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


@pytest.mark.parametrize(
    ("written", "meant"),
    [("cpu_basic", "cpu-basic"), ("CPU-Basic", "cpu-basic"), ("t4_small", "t4-small"), ("h100x9", "h100x9")],
)
def test_a_hardware_is_spelled_as_the_hub_spells_it(worker, hub: Hub, written: str, meant: str):
    assert worker("space", "alice/demo", "--hardware", written).code == 0
    assert hub.calls("POST /api/repos/create")[0]["hardware"] == meant


@pytest.mark.parametrize(
    ("written", "meant"), [("cpu-basics", "cpu-basic"), ("zerogpu", "zero-a10g"), ("t4smal", "t4-small")]
)
def test_a_hardware_that_the_hub_does_not_have_is_refused_with_the_right_name(
    worker, hub: Hub, written: str, meant: str
):
    result = worker("space", "alice/demo", "--hardware", written)
    assert result.code == 2 and f"did you mean {meant}?" in result.err and hub.requests == []


def torch_lines(files: dict[str, bytes]) -> list[str]:
    return re.findall(r"^(?:torch\b|--extra).*$", files["requirements.txt"].decode(), re.MULTILINE)


CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"


def test_each_hardware_gets_its_torch(worker, hub: Hub, project: Path):
    """ZeroGPU one that its machines carry, a CPU the small one, a GPU the usual one; the other lines are the project's."""
    local = (project / "requirements.txt").read_text()
    result = worker("space", "free/demo", "--hardware", "zero-a10g", token="hf_free")
    assert result.code == 0 and "torch>=2.9,<2.12, which ZeroGPU's machines carry" in result.err
    files = space(hub, "free/demo").files
    assert torch_lines(files) == ["torch>=2.9,<2.12"]
    # The next call says nothing of hardware: the Space keeps its own, and so the torch that goes with it.
    assert worker("space", "free/demo", token="hf_free").code == 0
    assert len(hub.committed()) == 1
    result = worker("space", "free/demo", "--hardware", "cpu-upgrade", token="hf_free")
    assert result.code == 0 and "from PyTorch's index for CPUs" in result.err
    assert space(hub, "free/demo").files["requirements.txt"].decode() == f"{CPU_INDEX}\n{local}"
    assert worker("space", "free/demo", "--hardware", "t4-small", token="hf_free").code == 0
    assert space(hub, "free/demo").files["requirements.txt"].decode() == local
    assert worker("space", "alice/demo").code == 0
    assert torch_lines(space(hub).files)[0] == CPU_INDEX, "the Hub's default is a CPU"
    dry = worker("space", "alice/new", "--dry-run", "--hardware", "zero-a10g")
    assert "requirements.txt asks for torch>=2.9,<2.12" in dry.err


def test_what_zero_gpu_gets_lies_within_the_requirements(project: Path):
    from packaging.requirements import Requirement
    from packaging.version import Version

    [line] = torch_lines({"requirements.txt": (project / "requirements.txt").read_bytes()})
    ours, theirs = Requirement(line).specifier, Requirement("torch>=2.9,<2.12").specifier
    carried = [Version(v) for v in ("2.9.1", "2.10.0", "2.11.0")]
    assert all(version in ours and version in theirs for version in carried)
