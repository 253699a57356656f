"""What an upload would do to what lies in a repo: told first, and asked for where it would cost somebody something."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shakespeare_gpt.hub.client import HubError, say

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TITLE = "Shakespeare GPT"  # of our commits, by which they are known again
# A new repo on the Hub holds these before anybody has uploaded anything.
FROM_THE_HUB = {".gitattributes", "README.md"}
# What the Space's builder reads besides what goes up.
BUILDER_READS = {"packages.txt", "pre-requirements.txt"}


@dataclass(frozen=True)
class There:
    """What lies in a repo.

    Attributes:
        files: hashes by path.
        head: the sha of its last commit.
        uploaded: what lay there after our last upload; None if there was none.
        fresh: nobody has put anything there yet.
    """

    files: dict[str, str]
    head: str | None = None
    uploaded: dict[str, str] | None = None
    fresh: bool = False


def look(api: HfApi, repo: str, kind: str) -> There | None:
    """What lies in a repo on the Hub; None if there is no such repo."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        commits = api.list_repo_commits(repo, repo_type=kind)
    except HfHubHTTPError as error:
        if error.response.status_code == 404:
            return None
        raise
    files = hashes(api, repo, kind, "main")
    ours = next((commit.commit_id for commit in commits if commit.title == TITLE), None)
    return There(
        files,
        head=commits[0].commit_id if commits else None,
        uploaded=hashes(api, repo, kind, ours) if ours else None,
        fresh=len(commits) <= 1 and files.keys() <= FROM_THE_HUB,
    )


def hashes(api: HfApi, repo: str, kind: str, revision: str) -> dict[str, str]:
    """The hash of each file of a repo at a commit: of a large one the sha256 of its content, else git's."""
    from huggingface_hub.hf_api import RepoFile

    entries = api.list_repo_tree(repo, recursive=True, revision=revision, repo_type=kind)
    files = [entry for entry in entries if isinstance(entry, RepoFile)]  # the others are folders
    return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}


def is_same(content: bytes, there: str) -> bool:
    """Whether a file has the content: its hash there is a sha256 (64 digits) or git's (40)."""
    if len(there) == 64:
        return hashlib.sha256(content).hexdigest() == there
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == there


@dataclass(frozen=True)
class Plan:
    """What an upload would do.

    Attributes:
        files: all that should be there afterwards.
        new, changed, same: their paths, by what lies there now.
        deleted: what an earlier version of the app has put there, and this one has no longer.
        left: what is somebody else's.
        costs: of `changed` and `deleted` what was not ours as it lies there: it would be lost.
    """

    files: Mapping[str, bytes]
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    costs: list[str] = field(default_factory=list)

    def sends(self) -> list[str]:
        return [*self.new, *self.changed]

    def lines(self) -> list[str]:
        """Each path with what becomes of it, and the total."""
        told = [(path, self.becomes(path), str(len(self.files[path]))) for path in self.files]
        told += [(path, "deleted", "") for path in self.deleted] + [(path, "left", "") for path in self.left]
        lines = [f"{word:8} {size:>9} {path}{self.remark(path)}" for path, word, size in told]
        return [*lines, self.total()]

    def becomes(self, path: str) -> str:
        return "new" if path in self.new else "changed" if path in self.changed else "same"

    def remark(self, path: str) -> str:
        if path in self.costs:
            return "   (not as this command has put it there)"
        return "   (the Space's builder reads it)" if path in self.left and path in BUILDER_READS else ""

    def total(self) -> str:
        size, sent = sum(map(len, self.files.values())), sum(len(self.files[path]) for path in self.sends())
        return (
            f"{len(self.files)} files, {size / 1e6:.1f} MB; {len(self.sends())} to send, {sent / 1e6:.1f} MB; "
            f"{len(self.deleted)} to delete, {len(self.left)} of others left alone"
        )


def plan(files: Mapping[str, bytes], there: There | None, is_ours: Mapping[str, bool] | None = None) -> Plan:
    """What it would mean to upload the files.

    Args:
        is_ours: for each path that lies there, whether it can be an older file of this app.
    """
    made = Plan(files)
    present = there.files if there else {}
    for path, content in files.items():
        where = (
            made.new
            if path not in present
            else made.same
            if is_same(content, present[path])
            else made.changed
        )
        where.append(path)
    for path in sorted(present.keys() - files.keys() - FROM_THE_HUB):
        (made.deleted if (is_ours or {}).get(path) else made.left).append(path)
    if there and not there.fresh:
        was = there.uploaded or {}
        made.costs.extend(p for p in [*made.changed, *made.deleted] if was.get(p) != present[p])
    return made


def agreed(made: Plan, repo: str, yes: bool) -> None:
    """Tell what would be lost or is left, and ask whether to go on where something would be lost.

    Raises:
        HubError: nobody can be asked, or the answer is no.
    """
    for path in made.left:
        say(f"Left alone: {path}{made.remark(path)}")
    for path in made.deleted:
        say(f"Deleted: {path}{made.remark(path)}")
    for path in made.costs:
        if path not in made.deleted:
            say(f"Overwritten: {path}{made.remark(path)}")
    if not made.costs or yes:
        return
    lost = f"{len(made.costs)} file{'s' if len(made.costs) > 1 else ''} of {repo}"
    first = made.costs[0]
    if not sys.stdin or not sys.stdin.isatty():
        raise HubError(
            f"{lost} would be lost as they are there ({first}{', ...' if len(made.costs) > 1 else ''}): add --yes to go "
            "on, or --dry-run to see all."
        )
    sys.stderr.write(f"{lost} would be lost as they are there. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise HubError("Nothing was changed.")
