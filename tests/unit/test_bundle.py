"""The page's modules put together: nothing of them is changed but how they find each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from shakespeare_gpt.ui.gradio_seam import files
from shakespeare_gpt.ui.gradio_seam.bundle import BundleError, bundle, vlq

MODULES = {
    "main.js": (
        'import { twice,\n  say as told } from "./core/a.js";\n'
        'import * as b from "./b.js";\n'
        'export * as again from "./b.js";\n'
        'export { say, twice as two } from "./core/a.js";\n'
        "export const four = twice(2);\n"
        'export const both = () => [told(), b.name, "import x from nowhere"];\n'
        'export const slow = async () => (await import("./core/late.js")).late();\n'
    ),
    "core/a.js": (
        'export function say() {\n  return "a";\n}\n'
        "export async function later() {}\nexport class Thing {}\nexport const twice = (n) => 2 * n;\n"
        "export const where = () => import.meta.url;\n"
    ),
    "b.js": 'import { say } from "./core/a.js";\n\nexport const name = `b of ${say()}`;\n',
    "core/late.js": 'import { name } from "../b.js";\nexport const late = () => `late ${name}`;\n',
}


def lines_of(map_text: str) -> dict[int, tuple[str, int]]:
    """A source map read back: the line of the file (from 0) -> the module and its line."""
    told, number, line = json.loads(map_text), 0, 0
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    found = {}
    for at, segment in enumerate(told["mappings"].split(";")):
        numbers, shift, value = [], 0, 0
        for digit in map(digits.index, segment):
            value += (digit & 31) << shift
            shift += 5
            if not digit & 32:
                numbers.append(-(value >> 1) if value & 1 else value >> 1)
                shift = value = 0
        if numbers:
            column, source, original, _ = numbers
            number, line = number + source, line + original
            assert column == 0
            found[at] = (told["sources"][number], line)
    return found


def test_the_files_of_the_page_hold_every_line_of_their_modules():
    """And the source map says whose it is."""
    page = bundle("main.js", files.source, "page.js")
    for put_together in (page, *(bundle(name, files.source, name, page) for name in page.later)):
        text = put_together.text.split("\n")
        seen = {}
        for at, (path, line) in lines_of(put_together.map).items():
            seen.setdefault(path, []).append(line)
            original = files.source(path).split("\n")[line]
            same = text[at].replace("export ", "") == original.replace("export ", "")
            assert same or re.search(r'import|from "|^\s*[\w\s,]*$', original), (path, line, original)
        assert list(seen) == put_together.modules
        for path, lines in seen.items():
            assert lines == list(range(len(files.source(path).rstrip("\n").split("\n")))), path


def test_each_module_of_the_page_comes_once():
    """But those of the file to take away, which stands alone."""
    page = bundle("main.js", files.source, "page.js")
    names = [
        *page.modules,
        *(name for later in page.later for name in bundle(later, files.source, later, page).modules),
    ]
    scripts = {path.relative_to(files.UI).as_posix() for path in files.UI.rglob("*.js")}
    alone = {"standalone.js", "take_away/standalone_api.js", "take_away/texts.js"}
    assert sorted(names) == sorted(scripts - alone - {files.PLOTLY})
    alone = bundle("standalone.js", files.source, files.ALONE, instead=files.INSTEAD).modules
    assert "take_away/standalone_api.js" in alone and "core/api.js" not in alone


def test_every_style_sheet_is_on_the_page():
    assert sorted(files.STYLES) == sorted(
        path.relative_to(files.UI).as_posix() for path in files.UI.rglob("*.css")
    )
    assert set(files.ALONE_STYLES) < set(files.STYLES)


def test_put_together_the_modules_do_what_they_do_apart(tmp_path):
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node (apt install nodejs)")
    for name, source in MODULES.items():
        (tmp_path / "apart" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "apart" / name).write_text(source)
    page = bundle("main.js", MODULES.__getitem__, "page.js")
    assert page.later == ["core/late.js"]
    late = bundle("core/late.js", MODULES.__getitem__, "core/late.js", page)
    assert late.modules == ["core/late.js"]
    (tmp_path / "core").mkdir()
    (tmp_path / "page.js").write_text(page.text)
    (tmp_path / "core" / "late.js").write_text(late.text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    code = (
        "const apart = await import('./apart/main.js'), one = await import('./page.js');"
        "const a = one.modules['core/a.js'];"
        "for (const it of [apart, one])"
        "  console.log(JSON.stringify([it.four, it.both(), it.say(), it.two(4), it.again.name, await it.slow()]));"
        "console.log(JSON.stringify([Object.keys(a), a.where().endsWith('/core/a.js')]));"
    )
    command = [node, "--input-type=module", "--eval", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    apart, one, inside = map(json.loads, done.stdout.splitlines())
    assert apart == one == [4, ["a", "b of a", "import x from nowhere"], "a", 8, "b of a", "late b of a"]
    assert inside == [["say", "later", "Thing", "twice", "where"], True]


@pytest.mark.parametrize(
    "line",
    [
        'import x from "./b.js";', 'import "./b.js";', "export default 1;", "export let a = 1;", "export { a };",
        'export * from "./b.js";', "import { a } from 'b.js';", 'import { a } from "b.js";', "await 1;",
        "const a = await import(name);", "const a = import.meta.env;", "export const { a, b } = c;",
    ],
)  # fmt: skip
def test_another_form_is_refused_with_its_line(line):
    sources = {"main.js": f"// first\n{line}\n", "b.js": ""}
    with pytest.raises(BundleError) as refused:
        bundle("main.js", sources.__getitem__, "page.js")
    assert "main.js, line 2" in str(refused.value) and line.split("(")[0].split(".")[0] in str(refused.value)


def test_a_circle_is_refused_and_what_lies_outside():
    circle = {"main.js": 'import { b } from "./b.js";', "b.js": 'import { a } from "./main.js";'}
    with pytest.raises(BundleError, match=r"main\.js -> b\.js -> main\.js"):
        bundle("main.js", circle.__getitem__, "page.js")
    with pytest.raises(BundleError, match="outside"):
        bundle("main.js", {"main.js": 'import { b } from "../b.js";'}.__getitem__, "page.js")


@pytest.mark.parametrize(
    ("number", "written"), [(0, "A"), (1, "C"), (-1, "D"), (15, "e"), (16, "gB"), (-123, "3H")]
)
def test_numbers_are_written_as_source_maps_write_them(number, written):
    assert vlq(number) == written
