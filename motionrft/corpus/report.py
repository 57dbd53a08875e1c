"""What reading a corpus has to tell: what is left out, and what its maker should know of what is kept."""

from __future__ import annotations

import logging

from motionrft.errors import InputError

LOG = logging.getLogger(__name__)
SHOWN = 20  # lines of each kind that are logged; all stand in corpus.json


class Report:
    """skipped: a line for whatever is left out; remarks: a line for whatever is kept but unusual; seen: (name, text)
    of what the files are (joints, scale, frame rates, …).

    With `fatal` (on_error: fail) the first broken input ends the job; with `survey` nothing does that leaves
    something to look at.
    """

    def __init__(self, fatal: bool = False, *, survey: bool = False):
        self.fatal, self.survey = fatal, survey
        self.skipped: list[str] = []
        self.remarks: list[str] = []
        self.seen: list[tuple[str, str]] = []
        self.counts: dict[str, int] = {}

    def absent(self, error: InputError) -> None:
        """Something that a corpus needs and a look at its files does not."""
        if not self.survey:
            raise error
        self.left_out("missing", str(error))

    def broken(self, error: InputError, reason: str = "broken") -> None:
        """A part of the data that cannot be used."""
        if self.fatal:
            raise error
        self.left_out(reason, str(error))

    def left_out(self, reason: str, line: str) -> None:
        """Something that the data set's own rules leave out. A line that comes twice, as of a clip's mirror image, is
        told once."""
        if self.skipped and self.skipped[-1] == line:
            return
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.skipped.append(line)
        if len(self.skipped) <= SHOWN and not self.survey:
            LOG.warning("left out: %s", line)

    def remark(self, line: str) -> None:
        self.remarks.append(line)
        if len(self.remarks) <= SHOWN and not self.survey:
            LOG.warning("note: %s", line)

    def summary(self) -> None:
        for reason, count in sorted(self.counts.items()):
            LOG.warning("left out as %s: %d, listed under `skipped` in corpus.json", reason, count)
        if len(self.remarks) > SHOWN:
            LOG.warning("notes: %d, listed under `remarks` in corpus.json", len(self.remarks))
