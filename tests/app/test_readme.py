"""The README's examples, run as they stand."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys

import pytest

from shakespeare_gpt.model import GPT
from support import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def example(language: str, containing: str) -> str:
    """The one code block in this language that contains these words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if containing in block]
    return block


def at(url: str, code: str) -> str:
    """The same example for a page at this address."""
    assert "http://127.0.0.1:7860" in code
    return code.replace("http://127.0.0.1:7860", url.rstrip("/"))


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_two_commands_are_there():
    assert "pip install -r requirements.txt && python app.py" in README
    assert "pip install -r tests/requirements.txt && python -m pytest" in README


def test_from_python():
    out = run(sys.executable, "-c", example("python", "sg.load()"))
    assert re.search(
        r"^':' looks mostly at '.' *: 0\.\d{4}$|^':' looks mostly at '.': [01]\.\d{4}$", out, re.M
    ), out
    assert "With that head off, the logits move by up to" in out


def test_over_http_with_gradio_client(url: str, model: GPT):
    out = run(sys.executable, "-c", at(url, example("python", "gradio_client")))
    assert "\nROMEO:" in out and "['R', 'O', 'M', 'E', 'O', ':']" in out
    lengths = [int(line) for line in out.splitlines() if line.isdigit()]
    assert lengths == sorted(lengths) and lengths[-1] == len("JULIET:") + 200 and len(lengths) > 3


def test_over_http_with_curl(url: str):
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    out = run("bash", "-c", at(url, example("bash", "curl")))
    assert "event: complete" in out and '"characters": ["R", "O", "M", "E", "O", ":"]' in out


COMMANDS = re.findall(
    r"python -m (shakespeare_gpt[\w.]+)(?: (space|model|import|export))?(.*?)(?:`|$)", README, re.MULTILINE
)


@pytest.mark.parametrize(("module", "verb", "arguments"), sorted({*COMMANDS}))
def test_every_command_is_there_with_its_flags(
    module: str, verb: str, arguments: str, capsys: pytest.CaptureFixture
):
    # hub's own main ends the process at Ctrl-C, and this one is pytest's.
    name = module.replace(".hub", ".hub.command")
    with pytest.raises(SystemExit) as done:
        importlib.import_module(name).main([*([verb] if verb else []), "--help"])
    out = capsys.readouterr().out
    assert done.value.code == 0 and f"python -m {module}" in out
    assert all(flag in out for flag in re.findall(r"--[\w-]+", arguments))
