"""The caption files of HumanML3D and KIT-ML: a folder `texts`, or the `texts.zip` that their repository holds."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from motionrft.contents import decoded, refuse_stand_in
from motionrft.corpus.captions import Caption, parse_captions, read_captions
from motionrft.corpus.report import Report
from motionrft.errors import InputError


class Texts:
    """`texts(name, report)`: the captions of a clip."""

    def __init__(self, folder: Path):
        self.folder, self.archive = folder / "texts", folder / "texts.zip"
        self.members: dict[str, bytes] | None = None
        if not self.folder.is_dir():
            self.members = self._unpacked()

    @staticmethod
    def there(folder: Path) -> bool:
        return (folder / "texts").is_dir() or (folder / "texts.zip").exists()

    def _unpacked(self) -> dict[str, bytes]:
        refuse_stand_in(self.archive, "texts", "complete the texts folder")
        try:
            with zipfile.ZipFile(self.archive) as archive:
                return {
                    PurePosixPath(name).stem: archive.read(name)
                    for name in archive.namelist()
                    if name.endswith(".txt") and not PurePosixPath(name).name.startswith(".")
                }
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
            raise InputError(
                f"not a readable zip file ({error})", where=self.archive, fix="download it again"
            ) from None

    def __call__(self, name: str, report: Report) -> list[Caption]:
        """The clip's captions, none of a file that is absent or broken; broken lines and files, and a file without
        any caption, are reported."""
        where = self._place(name)
        try:
            captions, broken = self._read(name, where)
        except InputError as error:
            captions, broken = [], [error]
        for problem in broken:
            report.broken(problem)
        if not captions and not broken:
            report.left_out("without caption", f"{where}: no caption in the file")
        return captions

    def _place(self, name: str) -> str:
        """Where the clip's captions are, in words for errors."""
        if self.members is None:
            return str(self.folder / f"{name}.txt")
        return f"{self.archive}: {name}.txt"

    def _read(self, name: str, where: str) -> tuple[list[Caption], list[InputError]]:
        if self.members is None:
            return read_captions(Path(where))
        if name not in self.members:
            raise InputError("no such file", where=where, field="texts", fix="download it again")
        text = decoded(self.members[name], where, "texts", "download it again")
        return parse_captions(text, where)
