"""One version and one date, wherever they are written."""

import re
import tomllib

import yaml

import motionrft
from motionrft.configuration import ROOT


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", changes, re.M)
    assert headings[0] == "Unreleased"
    version, date = headings[1].split(", ")
    assert version == project["version"] == motionrft.__version__ == citation["version"]
    assert date == str(citation["date-released"])


def test_the_changelog_names_a_version_once():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", changes, re.M)
    assert len(set(versions)) == len(versions)
    for part in changes.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.+)$", part, re.M)
        assert len(set(kinds)) == len(kinds)
