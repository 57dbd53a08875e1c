"""The finder of corpus kinds: names by folder, a schema for each, and no heavy import to list them."""

import subprocess
import sys

import pytest

from motionrft.configuration import resolve
from motionrft.configuration.schema import SCHEMAS
from motionrft.corpus import kinds
from motionrft.errors import InputError


def test_every_kind_has_a_generator_and_a_schema():
    assert {"toy", "bvh", "amass", "humanml3d", "kit"} <= set(kinds.names())
    for kind in kinds.names():
        clips, fps = kinds.source(kind)
        assert callable(clips)
        assert fps > 0
        assert (SCHEMAS / f"corpus-{kind}.schema.yaml").is_file()


def test_an_unknown_kind_is_one_clear_error():
    with pytest.raises(InputError, match=r"unknown corpus kind 'video'.*choose from amass, bvh"):
        kinds.source("video")
    run = {"name": "t", "corpus": {"kind": "video"}, "backbones": ["mdm"], "methods": []}
    with pytest.raises(InputError, match=r"corpus\.kind: unknown kind 'video'.*toy"):
        resolve(run)


def test_listing_kinds_loads_nothing_heavy():
    code = (
        "import sys, motionrft.corpus.kinds as kinds; kinds.names();"
        "sys.exit(bool({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
