"""What reading a corpus has to tell: what is left out, and what its maker should know of what is kept."""

from __future__ import annotations

import logging

from motionrft.errors import InputError

LOG = logging.getLogger(__name__)
SHOWN = 20  # lines of each kind that are logged; all stand in corpus.json


class Report:
    """skipped: a line for whatever is left out; remarks: a line for whatever is kept but unusual.

    With `fatal` (on_error: fail) the first broken input ends the job.
    """

    def __init__(self, fatal: bool = False):
        self.fatal = fatal
        self.skipped: list[str] = []
        self.remarks: list[str] = []
        self.counts: dict[str, int] = {}

    def broken(self, error: InputError) -> None:
        """A part of the data that cannot be used."""
        if self.fatal:
            raise error
        self.left_out("broken", str(error))

    def left_out(self, reason: str, line: str) -> None:
        """Something that the data set's own rules leave out."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.skipped.append(line)
        if len(self.skipped) <= SHOWN:
            LOG.warning("left out: %s", line)

    def remark(self, line: str) -> None:
        self.remarks.append(line)
        if len(self.remarks) <= SHOWN:
            LOG.warning("note: %s", line)

    def summary(self) -> None:
        for reason, count in sorted(self.counts.items()):
            LOG.warning("left out as %s: %d, listed under `skipped` in corpus.json", reason, count)
        if len(self.remarks) > SHOWN:
            LOG.warning("notes: %d, listed under `remarks` in corpus.json", len(self.remarks))
