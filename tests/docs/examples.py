"""The files that docs/extend.md shows, and a scratch checkout to put them into."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from motionrft.configuration.files import ROOT

PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
# path -> content
FILES = dict(re.findall(r"^File `([^`]+)`:\n\n```(?:python|yaml)\n(.*?)^```$", PAGE, re.M | re.S))


def names(folder: str) -> list[str]:
    """What the page adds to a drop-in folder: files by their stems, packages by their names."""
    inside = [Path(name).relative_to(folder) for name in FILES if name.startswith(f"{folder}/")]
    return list(dict.fromkeys(path.parts[0].partition(".")[0] for path in inside))


def add_files(folder: Path) -> None:
    """Writes the page's files where it says."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@test"]
    return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True).stdout


def checkout(folder: Path) -> Path:
    """What a user clones, as it stands here, in one commit."""
    listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    for name in git(ROOT, *listed).split("\0"):
        if name and (ROOT / name).exists() and not name.startswith("tests/fixtures/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A clone")
    return folder
