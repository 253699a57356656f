"""A checkpoint on the Hub, for the page: what was made from it comes along, where it is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from hub_server import Hub, Repo
from support import ASSETS, ROOT

# In a process of its own: the client reads HF_ENDPOINT when it is imported.
WORKER = """
import json, sys
from shakespeare_gpt.checkpoint import folder_of
from shakespeare_gpt.ui.core.served import served
import shakespeare_gpt as sg
folder = folder_of("alice/model")
files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
print(json.dumps([files, served(sg.load(folder), folder, "alice/model").measure]))
"""


def seen(url: str, home: Path) -> tuple[list[str], str]:
    environment = {
        **os.environ, "HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(ROOT)
    }  # fmt: skip
    command = [sys.executable, "-c", WORKER]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def test_what_was_made_from_a_checkpoint_comes_along(tmp_path: Path):
    needed = {name: (ASSETS / name).read_bytes() for name in ("model.safetensors", "config.json")}
    made = {name: (ASSETS / name).read_bytes() for name in ("training.json", "heads.json", "prices.json")}
    made |= {f"snapshots/{path.name}": path.read_bytes() for path in (ASSETS / "snapshots").iterdir()}
    with Hub() as hub:
        repo = hub.repos["model", "alice/model"] = Repo("model")
        repo.commit({**needed, **made, "README.md": b"not asked for"})
        for path, content in repo.files.items():
            if repo.is_lfs(path):
                hub.lfs[repo.oid(path)] = content
        files, command = seen(hub.url, tmp_path / "whole")
        assert files == sorted({*needed, *made})
        assert command == (
            "hf download alice/model --local-dir model && python -m shakespeare_gpt.training.measure model"
        )
        repo.commit(dict.fromkeys(made))
        assert seen(hub.url, tmp_path / "bare")[0] == sorted(needed)
