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
UI = PACKAGE / "ui"

# The plan. A module imports from the lines below its own, never from its own line or from above. A new module gets its
# place here, and in the README's drawing of the house. "" is the package itself: sg.load, sg.trace, ...
FLOORS = [
    {"app", "hub", "nanogpt", "cli"},
    {"ui", "training"},
    {""},
    {"experiments", "batching"},
    {"heads", "inside", "effects", "embeddings", "snapshots", "pictures", "generation"},
    {"trace", "checkpoint", "fast_decode"},
    {"model"},
    {"tokenizer", "intervention", "sampling", "arrays", "published", "record", "words"},
]
# The same inside training/.
TRAINING = [
    {"train", "install", "samples"},
    {"measure", "run"},
    {"evaluate", "windows"},
    {"recipe"},
    {"options"},
    {"corpus", "copying", "baselines", "optimizer", "teachers"},
]
# And inside hub/. "" is hub/__init__.py, which holds nothing.
HUB = [{"__main__"}, {"command"}, {"card", "plan", "static", "waiting"}, {"files"}, {"client"}, {""}]
# Inside ui/ there is a room, a folder, for each feature, and two that they share. What stands directly in ui/ puts the
# page together. It holds for Python and for JavaScript.
FEATURES = {
    "two_texts",
    "writing",
    "text",
    "attention",
    "inside",
    "what_if",
    "model",
    "lessons",
    "take_away",
    "stage",
    "mattered",
}
SHARED = {"core", "gradio_seam"}
COMPOSITION_IN_JAVASCRIPT = {"main.js", "events.js", "standalone.js"}


def may_import(room: str, other: str) -> bool:
    """Whether a file in this room of ui/ may import from another; "" for what stands directly in ui/."""
    return room == "" or other in (room, "core") or (other == "gradio_seam" and room in FEATURES)


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


CODE = [ROOT / "app.py", *python_files(PACKAGE)]
ALL = [*CODE, *python_files(ROOT / "tests", ROOT / "benchmarks")]
SCRIPTS = sorted(path for path in UI.rglob("*.js") if not path.name.endswith(".min.js"))


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
    """The dotted names that a file imports, those inside functions and those for type checkers alone too."""
    for node in ast.walk(parsed(path)):
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


def goes_down(floors: list[set[str]], name: str, other: str) -> bool:
    """Whether `other` stands on a floor below that of `name`."""
    depth = {name: depth for depth, names in enumerate(floors) for name in names}
    assert {name, other} <= depth.keys(), f"{name} and {other}: both need a place in the plan"
    return depth[name] < depth[other]


def inside_of(module: str) -> tuple[str, str]:
    """ui.core.payloads -> ("ui", "core"): the part of the house, and the room or the module in it."""
    part, inside, *_ = *module.split("."), ""
    return part, "" if part == "ui" and inside not in FEATURES | SHARED else inside


@pytest.mark.parametrize("path", CODE, ids=label)
def test_imports_run_down(path: Path):
    part, inside = inside_of(module_of(path))
    for module in own_imports(path):
        other_part, other_inside = inside_of(module)
        if part != other_part:
            follows = goes_down(FLOORS, part, other_part)
        elif part == "ui":
            follows = may_import(inside, other_inside)
        else:
            floors = {"training": TRAINING, "hub": HUB}.get(part)
            follows = floors is not None and goes_down(floors, inside, other_inside)
        assert follows, f"{label(path)} imports {module}"


def test_every_part_has_its_place():
    parts = {inside_of(module)[0] for module in MODULES}
    assert parts == set().union(*FLOORS) and len(parts) == sum(map(len, FLOORS))
    for part, floors in (("training", TRAINING), ("hub", HUB)):
        inside = {inside_of(module)[1] for module in MODULES if module.split(".")[0] == part} - {""}
        assert inside == set().union(*floors) - {""} and len(inside | {""}) == len(
            set().union(*floors) | {""}
        )
    rooms = {path.name for path in UI.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == FEATURES | SHARED
    assert {path.name for path in UI.glob("*.js")} == COMPOSITION_IN_JAVASCRIPT


def check_no_circle(graph: dict[str, set[str]]) -> None:
    """An AssertionError that names the way round, if one leads back to where it began."""
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above, module])
        if module not in done:
            for imported in graph[module]:
                visit(imported, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_no_module_imports_itself_through_others():
    check_no_circle({module_of(path): set(own_imports(path)) for path in CODE})


def test_the_page_never_imports_the_training():
    graph = {module_of(path): set(own_imports(path)) for path in CODE}
    seen, waiting = set(), ["app"]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += graph[module]
    assert "ui.demo" in seen
    assert not [module for module in seen if module.split(".")[0] in ("training", "hub")]


@pytest.mark.parametrize("path", [*CODE, *python_files(ROOT / "tests" / "unit")], ids=label)
def test_gradio_is_imported_under_ui_alone(path: Path):
    """And what is not its front door, `import gradio`, in the one room for all that touches its insides."""
    found = [name for name in imports(path) if name.split(".")[0] in ("gradio", "gradio_client")]
    if UI not in path.parents:
        assert not found
    elif UI / "gradio_seam" not in path.parents:
        assert set(found) <= {"gradio"}


# --- the same for JavaScript

COMMENT = re.compile(r"/\*.*?\*/|(?<![:\w\"'`])//[^\n]*", re.DOTALL)
STATIC = re.compile(r"""^(?:import|export)\b(?:[^;"'`]*?\bfrom)?\s*["']([^"']+)["']""", re.MULTILINE)
DYNAMIC = re.compile(
    r"""\bimport\(\s*(?:["'`]([^"'`]+)["'`]\s*\))?"""
)  # nothing found where it is not a plain name


def script_imports(path: Path, comments: bool = False) -> Iterator[str]:
    """The files under ui/ that a script imports, such as "core/store.js"; with comments, the types in them too."""
    source = path.read_text(encoding="utf-8")
    if not comments:
        source = COMMENT.sub("", source)
    for target in [*STATIC.findall(source), *DYNAMIC.findall(source)]:
        assert target.startswith(("./", "../")), f"{label(path)} imports {target or 'what has no plain name'}"
        yield (path.parent / target).resolve().relative_to(UI).as_posix()


def room_of(file: str) -> str:
    return file.split("/")[0] if "/" in file else ""


@pytest.mark.parametrize("path", SCRIPTS, ids=label)
def test_scripts_import_from_core_and_from_their_own_room(path: Path):
    room = room_of(path.relative_to(UI).as_posix())
    for imported in script_imports(path, comments=True):
        assert may_import(room, room_of(imported)), f"{label(path)} imports {imported}"
    for imported in script_imports(path):
        assert (UI / imported).is_file(), f"{label(path)} imports {imported}, which is not there"


def test_no_script_imports_itself_through_others():
    check_no_circle({path.relative_to(UI).as_posix(): set(script_imports(path)) for path in SCRIPTS})


def test_the_imports_of_a_script_are_found(tmp_path: Path):
    """The reader of JavaScript, on all forms that an import has."""
    script = tmp_path / "script.js"
    script.write_text(
        'import "./a.js";\n'
        'import { b,\n  c as d } from "./b.js";\n'
        "import * as e from './e.js'; // import f from './no.js'\n"
        'export { g } from "./g.js";\n'
        '/* import h from "./no.js" */ const h = async () => (await import("./h.js")).h;\n'
        'const address = "https://example.org"; const told = "import nothing from this";\n'
    )
    source = COMMENT.sub("", script.read_text())
    assert STATIC.findall(source) == ["./a.js", "./b.js", "./e.js", "./g.js"]
    assert DYNAMIC.findall(source) == ["./h.js"]
    assert DYNAMIC.findall("import(name)") == [""]


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
    """No pickle, by any of its names, and no code made from text.

    nanogpt.py reads and writes another program's pickles: tests/unit/test_nanogpt.py gives it some that would run code.
    """
    foreign = path == PACKAGE / "nanogpt.py"
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    forbidden -= {"pickle"} if foreign else set()
    assert not [name for name in imports(path) if name.split(".")[0] in forbidden]
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if foreign and called in ("torch.load", "torch.save"):
            safe = [ast.unparse(word) for word in node.keywords]
            assert called == "torch.save" or "weights_only=True" in safe
            continue
        assert called not in ("pickle.load", "pickle.loads", "pickle.Unpickler")
        assert called not in ("torch.load", "torch.save", "eval", "exec", "compile", "__import__"), called
        if called in ("np.load", "numpy.load"):
            assert not node.keywords, "allow_pickle stays off"


@pytest.mark.parametrize("path", ALL, ids=label)
def test_it_is_python_3_10(path: Path):
    """It runs on 3.10 too: no newer syntax, and none of the names that later versions brought."""
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


def public_functions(body: list[ast.stmt], within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions that others may call, methods and those of nested classes too, each with its whole name."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{within}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            special = node.name.startswith("__") and node.name.endswith("__")
            if special or not node.name.startswith("_"):
                yield within + node.name, node


@pytest.mark.parametrize("path", CODE, ids=label)
def test_functions_are_annotated(path: Path):
    """All that others may call. That no attribute is set that no class declares is left to mypy (pyproject.toml)."""
    for name, node in public_functions(parsed(path).body):
        assert node.returns is not None, f"{name}: what does it return?"
        listed = [*node.args.posonlyargs, *node.args.args]
        static = any(ast.unparse(decorator) == "staticmethod" for decorator in node.decorator_list)
        if "." in name and not static:
            listed = listed[1:]  # self or cls
        listed += [*node.args.kwonlyargs, *filter(None, (node.args.vararg, node.args.kwarg))]
        assert not [a.arg for a in listed if a.annotation is None], name


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
    brought = {"starlette", "fastapi", "brotli", "uvicorn", "anyio", "httpx", "tqdm", "yaml"}
    used = {name.split(".")[0] for path in CODE for name in imports(path)}
    outside = (
        used - set(sys.stdlib_module_names) - {"shakespeare_gpt"} - brought - {"spaces"}
    )  # ZeroGPU's own
    assert outside <= set(pinned())


def test_the_readme_draws_the_whole_house():
    drawing = (ROOT / "README.md").read_text(encoding="utf-8").split("## How it is built")[1].split("```")[1]
    for name in set().union(*FLOORS):
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
    assert sum(sizes.values()) < 24_000_000, sizes
    assert max(sizes.values()) < 10_000_000, "a Space takes files up to 10 MB as they are"


def test_the_corpus_is_not_in_the_repository():
    line = b"Before we proceed any further, hear me speak."
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout
    for name in filter(None, tracked.decode().split("\0")):
        path = ROOT / name
        if path.is_file() and path.stat().st_size > 20_000:
            assert line not in path.read_bytes(), name
