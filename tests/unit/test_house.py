"""The plan of the house, kept: which way imports run, what is never used, and that everything derived is fresh."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.published import PUBLISHED
from shakespeare_gpt.tokenizer import Tokenizer
from support import ASSETS, ROOT

PACKAGE = ROOT / "shakespeare_gpt"
# Imports run down only. A new module gets its place here, and in the README's drawing of the house.
LAYERS = [
    {"intervention", "tokenizer", "arrays"},
    {"model"},
    {"trace", "checkpoint", "sampling", "generation", "fast_decode"},
    # "" is the package itself: sg.load, sg.trace, ...
    {"", "heads", "experiments", "inside", "embeddings", "snapshots", "pictures", "published"},
    {"ui", "training"},
    {"hub", "app"},
]
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


CODE = [ROOT / "app.py", *python_files(PACKAGE)]
ALL = [*CODE, *python_files(ROOT / "tests", ROOT / "benchmarks")]


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """shakespeare_gpt/ui/demo.py -> ui.demo; app.py -> app."""
    parts = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path) for path in CODE}


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports when it runs, those inside functions too; not those for type checkers."""
    waiting: list[ast.AST] = [parsed(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the whole name of what is imported"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> Iterator[str]:
    """Of these, the modules of this package, without its name: "ui.demo"."""
    for name in imports(path):
        if name.split(".")[0] == "shakespeare_gpt":
            name = name.removeprefix("shakespeare_gpt").removeprefix(".")
            while name not in MODULES:  # the last part is a name inside the module
                name = name.rpartition(".")[0]
            yield name


@pytest.mark.parametrize("path", CODE, ids=label)
def test_imports_run_down(path: Path):
    part = module_of(path).split(".")[0]
    assert part in HEIGHT, f"{label(path)} has no place in LAYERS yet"
    if path == PACKAGE / "__init__.py":
        part = ""
    for imported in own_imports(path):
        other = imported.split(".")[0]
        beside = HEIGHT[other] == HEIGHT[part] and part not in ("ui", "training")
        assert other == part or HEIGHT[other] < HEIGHT[part] or beside, f"{label(path)} imports {imported}"


def test_no_module_imports_itself_through_others():
    graph = {module_of(path): set(own_imports(path)) for path in CODE}
    graph[""] = set()  # importing shakespeare_gpt.model runs the package's __init__ first, always
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above, module])
        if module not in done:
            for imported in graph[module]:
                visit(imported, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", [*CODE, *python_files(ROOT / "tests" / "unit")], ids=label)
def test_gradio_is_imported_under_ui_alone(path: Path):
    if PACKAGE / "ui" not in path.parents:
        assert not [name for name in imports(path) if name.split(".")[0] in ("gradio", "gradio_client")]


def test_the_package_loads_without_gradio_plotly_or_the_hub():
    """Training and the tests of the numbers need no page; what is heavy is imported where it is used."""
    code = (
        "import sys, shakespeare_gpt, shakespeare_gpt.experiments, shakespeare_gpt.training.train\n"
        "print([n for n in ('gradio', 'plotly', 'huggingface_hub', 'pandas', 'transformers') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", [*CODE, *python_files(ROOT / "benchmarks")], ids=label)
def test_nothing_can_run_what_a_file_holds(path: Path):
    """No pickle, by any of its names, and no code made from text."""
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    assert not [name for name in imports(path) if name.split(".")[0] in forbidden]
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in ("torch.load", "torch.save", "eval", "exec", "compile", "__import__"), called
        if called in ("np.load", "numpy.load"):
            assert not node.keywords, "allow_pickle stays off"


@pytest.mark.parametrize("path", ALL, ids=label)
def test_it_is_python_3_10(path: Path):
    """Spaces run 3.10 to 3.12: no newer syntax, and none of the names that later versions brought."""
    source = path.read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 10))
    newer = {
        "tomllib", "enum.StrEnum", "typing.Self", "typing.assert_never", "typing.override", "itertools.batched",
        "contextlib.chdir", "asyncio.TaskGroup", "asyncio.timeout", "datetime.UTC",
    }  # fmt: skip
    assert not newer & set(imports(path))
    used = {ast.unparse(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)}
    assert not newer & used


@pytest.mark.parametrize("path", CODE, ids=label)
def test_every_file_says_what_it_is_for(path: Path):
    assert ast.get_docstring(parsed(path))


@pytest.mark.parametrize("path", CODE, ids=label)
def test_functions_are_annotated(path: Path):
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert node.returns is not None, f"{node.name}: what does it return?"
            assert not [a.arg for a in arguments if a.annotation is None], node.name


# --- the README and the requirements


def pinned() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return dict(re.fullmatch(r"([\w-]+)(.*)", line).groups() for line in lines if line and line[0] != "#")


def front_matter() -> dict:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1])


def test_the_space_gets_the_gradio_that_was_tested():
    front = front_matter()
    assert pinned()["gradio"] == f"=={front['sdk_version']}"
    import importlib.metadata

    assert importlib.metadata.version("gradio") == front["sdk_version"]


def test_the_front_matter_is_a_space_s():
    front = front_matter()
    assert front["sdk"] == "gradio" and (ROOT / front["app_file"]).is_file()
    assert front["python_version"] in ("3.10", "3.12") and isinstance(front["python_version"], str)
    assert len(front["short_description"]) <= 60
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {front["colorFrom"], front["colorTo"]} <= colours
    assert front["license"] == "mit" and "MIT License" in (ROOT / "LICENSE").read_text()


def test_every_import_is_a_requirement():
    """What the code imports is what requirements.txt names, but for what those packages always bring along."""
    brought = {"starlette", "fastapi", "uvicorn", "anyio", "httpx", "tqdm", "yaml"}
    used = {name.split(".")[0] for path in CODE for name in imports(path)}
    outside = (
        used - set(sys.stdlib_module_names) - {"shakespeare_gpt"} - brought - {"spaces"}
    )  # ZeroGPU's own
    assert outside <= set(pinned())


def test_the_readme_draws_the_whole_house():
    drawing = (ROOT / "README.md").read_text(encoding="utf-8").split("## How it is built")[1].split("```")[1]
    for name in HEIGHT:
        shown = f"{name}/" if (PACKAGE / name).is_dir() else f"{name}.py"
        assert not name or re.search(rf"(?<![\w]){re.escape(shown)}", drawing), (
            f"{shown} is not in the drawing"
        )


def test_the_readme_names_every_benchmark():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"benchmarks/(\w+)\.py", text))
    assert named == {path.stem for path in (ROOT / "benchmarks").glob("*.py")}


def test_the_readme_s_figures_are_the_checkpoint_s():
    """The row "this one": update it with each new checkpoint, from the evaluate command."""
    row = re.search(
        r"\| \*\*this one\*\* \| \*\*([\d.]+)M\*\* \| \*\*([\d.]+)\*\* \|", (ROOT / "README.md").read_text()
    )
    record = json.loads((ASSETS / "training.json").read_text(encoding="utf-8"))
    assert float(row[2]) == pytest.approx(record["validation_loss"], abs=0.001)
    config = json.loads((ASSETS / "config.json").read_text(encoding="utf-8"))
    model = GPT(GPTConfig(**config["shape"]), Tokenizer(config["vocabulary"]))
    assert float(row[1]) == pytest.approx(model.num_parameters() / 1e6, abs=0.06)


def test_the_readme_quotes_others_as_they_are_published():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for result in PUBLISHED:
        row = re.search(
            rf"^\|.*\| {re.escape(result.parameters)} *\| {re.escape(result.loss)} \| (.*) \|$", text, re.M
        )
        assert row and row[1] == result.hardware, result


def links(text: str) -> set[str]:
    """The relative targets of a Markdown text's links and pictures."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    return {target.split("#")[0] for target in targets if "://" not in target and not target.startswith("#")}


@pytest.mark.parametrize("path", sorted([ROOT / "README.md", *PACKAGE.rglob("*.md")]), ids=label)
def test_links_in_the_documents_lead_somewhere(path: Path):
    assert not [
        target for target in links(path.read_text(encoding="utf-8")) if not (path.parent / target).exists()
    ]


# --- assets


def sha256_of_the_checkpoint() -> str:
    return hashlib.sha256((ASSETS / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["config.json", "training.json", "heads.json", "prices.json"])
def test_what_is_derived_belongs_to_the_checkpoint(name: str):
    """After a new training run: `python -m shakespeare_gpt.training.measure` makes them all again."""
    assert json.loads((ASSETS / name).read_text(encoding="utf-8"))["sha256"] == sha256_of_the_checkpoint()


def test_every_snapshot_is_there():
    record = json.loads((ASSETS / "training.json").read_text(encoding="utf-8"))
    files = (ASSETS / "snapshots").glob("*")
    assert {snapshot["file"]: snapshot["sha256"] for snapshot in record["snapshots"]} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_assets_are_small():
    sizes = {label(path): path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 20_000_000, sizes
    assert max(sizes.values()) < 10_000_000, "a Space takes files up to 10 MB as they are"


def test_the_corpus_is_not_in_the_repository():
    line = b"Before we proceed any further, hear me speak."
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout
    for name in filter(None, tracked.decode().split("\0")):
        path = ROOT / name
        if path.is_file() and path.stat().st_size > 20_000:
            assert line not in path.read_bytes(), name
