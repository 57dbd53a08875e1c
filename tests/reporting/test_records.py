"""What may stand in one table."""

import pytest

from motionrft.errors import InputError
from motionrft.reporting.records import Records
from tests.reporting.made_run import make_run


def test_corpora_are_never_mixed(tmp_path):
    folder = make_run(tmp_path)
    other = make_run(tmp_path / "other", corpus="cccc")
    target = folder / "evaluate/mdm/easytune/seed0/replications.parquet"
    target.write_bytes((other / "evaluate/mdm/easytune/seed0/replications.parquet").read_bytes())
    with pytest.raises(InputError, match="corpus_digest differs"):
        _ = Records(folder).evaluations
