"""The build: a wheel carries the workflow, its configurations and schemas, taken from where they lie in the repository."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CARRIED = ("Snakefile", "config", "workflow", "envs")


class BuildWithWorkflow(build_py):
    """`motionrft/checkout` in the wheel is what `motionrft.configuration.files.ROOT` is there."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "motionrft" / "checkout"
        shutil.rmtree(target, ignore_errors=True)
        for name in CARRIED:
            source, copy = ROOT / name, target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy)


setup(cmdclass={"build_py": BuildWithWorkflow})
