"""Our ES modules put together into few files, when the app starts: no build step, and no fifty requests.

A module becomes a function of its own, called in the order of the imports, which hands out what the module exports; so
names of two modules never meet. What is loaded later (`import("./x.js")`) becomes a file of its own, which takes the
modules of the first file from there and brings the rest. Lines stay as they are, and a source map tells a debugger
which line of which module it has before it.

Only the forms of import and export that this app's modules use are known; another one is refused with its line:

    import { a, b as c } from "./x.js";    export const a = ...       export { a, b as c } from "./x.js";
    import * as x from "./x.js";           export function a() ...    export * as x from "./x.js";
    await import("./x.js")                 export class A ...         import.meta.url
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

FIRST = "// Put together from the modules of ui/ by gradio_seam/bundle.py."
NAMES = r"\{([\w$\s,]*)\}"
TARGET = r'"(\.{1,2}/[\w./-]+\.js)"'
IMPORT = re.compile(rf"^import (?:{NAMES}|\* as ([\w$]+)) from {TARGET};", re.MULTILINE)
PASSED_ON = re.compile(rf"^export (?:{NAMES}|\* as ([\w$]+)) from {TARGET};", re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?function\*?|class|const) ([\w$]+)", re.MULTILINE)
LATER = re.compile(rf"\bimport\({TARGET}\)")
META = "import.meta.url"
UNKNOWN = re.compile(
    r"^(?:import|export|await)\b.*|^(?!\s*(?://|/?\*)).*\bimport\s*(?:\(|\.meta).*", re.MULTILINE
)
Read = Callable[[str], str]


class BundleError(ValueError):
    """A module that cannot be put together with others."""


@dataclass
class Module:
    """A module as the body of a function, with as many lines as its file."""

    body: str
    exports: dict[str, str] = field(
        default_factory=dict
    )  # the exported name -> an expression within the body
    imports: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)  # what it loads when it is needed


@dataclass
class Bundle:
    """A file for the browser.

    modules: those that it brings, in the order in which they run; later: what they load when it is needed.
    """

    text: str
    map: str
    modules: list[str]
    later: list[str]


def bundle(
    entry: str, read: Read, name: str, first: Bundle | None = None, instead: Mapping[str, str] | None = None
) -> Bundle:
    """A module and all that it imports as one file.

    Args:
        entry: the path of the module, such as "main.js".
        read: gives the source of a module by its path.
        name: what the file will be called.
        first: the file, called page.js, that is on the page already; its modules are taken from there.
        instead: modules that stand in place of others.

    Raises:
        BundleError: a form of import or export that is not known, or modules that import each other in a circle.
    """
    there = set(first.modules) if first else set()
    found = modules_of(entry, read, there, instead or {})
    lines = [FIRST]
    up = "../" * name.count("/") or "./"
    lines.append(f'import {{ modules }} from "{up}page.js";' if first else "const modules = {};")
    mapped: list[tuple[str, int, int]] = []
    for path, module in found.items():
        own = placed(path, module.body, up)
        lines.append(f'modules["{path}"] = (() => {{')
        body = own.removesuffix("\n").split("\n")
        mapped.append((path, len(lines), len(body)))
        lines += body
        lines.append(f"return {{ {', '.join(f'{key}: {value}' for key, value in module.exports.items())} }};")
        lines.append("})();")
    given = ", ".join(found[entry].exports)
    if given:
        lines.append(f'export const {{ {given} }} = modules["{entry}"];')
    if not first:
        lines.append("export { modules };")
    later = [resolved(path, target) for path, module in found.items() for target in module.later]
    return Bundle("\n".join(lines) + "\n", source_map(mapped, read), [*found], [*dict.fromkeys(later)])


def placed(path: str, body: str, up: str) -> str:
    """A module's body with the addresses that it knows told from the file that it stands in."""
    body = body.replace(META, f'new URL("{up}{path}", {META}).href')
    return LATER.sub(lambda match: f'import("{up}{resolved(path, match[1])}")', body)


def modules_of(
    entry: str, read: Read, there: Collection[str], instead: Mapping[str, str]
) -> dict[str, Module]:
    """A module and all that it imports but for those that are there, each after what it imports."""
    found: dict[str, Module] = {}
    within: list[str] = []

    def add(path: str) -> None:
        if path in found or path in there:
            return
        if path in within:
            raise BundleError(f"Modules import each other in a circle: {' -> '.join([*within, path])}")
        within.append(path)
        module = parsed(path, read(path), instead)
        for imported in module.imports:
            add(imported)
        within.pop()
        found[path] = module

    add(entry)
    return found


def parsed(path: str, source: str, instead: Mapping[str, str] | None = None) -> Module:
    """A module's source as the body of a function."""
    module = Module("")

    def other(target: str) -> str:
        to = resolved(path, target)
        to = (instead or {}).get(to, to)
        module.imports.append(to)
        return f'modules["{to}"]'

    def imported(match: re.Match[str]) -> str:
        names, whole, target = match.groups()
        taken = whole or "{ " + ", ".join(f"{a}: {b}" if a != b else a for a, b in pairs(names)) + " }"
        return f"const {taken} = {other(target)};" + "\n" * match[0].count("\n")

    def passed_on(match: re.Match[str]) -> str:
        names, whole, target = match.groups()
        given = other(target)
        module.exports.update(
            {whole: given} if whole else {name: f"{given}.{own}" for own, name in pairs(names)}
        )
        return "\n" * match[0].count("\n")

    def exported(match: re.Match[str]) -> str:
        module.exports[match[2]] = match[2]
        return f"{match[1]} {match[2]}"

    module.body = EXPORT.sub(exported, PASSED_ON.sub(passed_on, IMPORT.sub(imported, source)))
    module.later = LATER.findall(source)
    for match in UNKNOWN.finditer(LATER.sub("", module.body.replace(META, ""))):
        line = module.body.count("\n", 0, match.start()) + 1
        raise BundleError(f"{path}, line {line}: a bundle knows no such form: {match[0].strip()}")
    return module


def pairs(names: str) -> list[tuple[str, str]]:
    """ "a, b as c" -> [("a", "a"), ("b", "c")]"""
    listed = [re.split(r"\s+as\s+", name.strip()) for name in names.split(",") if name.strip()]
    return [(name[0], name[-1]) for name in listed]


def resolved(importer: str, target: str) -> str:
    """ "text/strip.js", "../core/store.js" -> "core/store.js" """
    path = posixpath.normpath(posixpath.join(posixpath.dirname(importer), target))
    if path.startswith(".."):
        raise BundleError(f"{importer} imports {target}, which is outside of ui/")
    return path


def source_map(mapped: list[tuple[str, int, int]], read: Read) -> str:
    """A source map, line by line (https://tc39.es/ecma426/).

    Args:
        mapped: the path of a module, the line of the file (from 0) at which it begins, and how many lines it has.
    """
    out: list[str] = []
    before = (0, 0)  # the source and its line of the segment before: numbers are told as differences
    for number, (_, at, count) in enumerate(mapped):
        out += [""] * (at - len(out))
        for line in range(count):
            out.append("A" + vlq(number - before[0]) + vlq(line - before[1]) + "A")
            before = (number, line)
    paths = [path for path, _, _ in mapped]
    told = {
        "version": 3,
        "sources": paths,
        "sourcesContent": [read(path) for path in paths],
        "mappings": ";".join(out),
    }
    return json.dumps(told)


def vlq(number: int) -> str:
    """A number as a source map writes it: base 64, five bits at a time from the lowest, the sign in the first bit."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    left, out = abs(number) << 1 | (number < 0), ""
    while True:
        left, five = left >> 5, left & 31
        out += digits[five | (32 if left else 0)]
        if not left:
            return out
