"""What may stand in one table."""

import pytest

from motionrft.errors import InputError
from motionrft.files import read_table, write_table
from motionrft.reporting.page.opening import recorded
from motionrft.reporting.records import Records
from motionrft.reporting.stored import StoredRecords, store
from motionrft.reporting.tables import IN_BF16, build
from tests.reporting.made_run import make_run


def test_corpora_are_never_mixed(tmp_path):
    folder = make_run(tmp_path)
    other = make_run(tmp_path / "other", corpus="cccc")
    target = folder / "evaluate/mdm/easytune/seed0/replications.parquet"
    target.write_bytes((other / "evaluate/mdm/easytune/seed0/replications.parquet").read_bytes())
    with pytest.raises(InputError, match="corpus_digest differs"):
        _ = Records(folder).evaluations


def scored_in(precision, paths):
    """These score files say that their evaluator ran in `precision`."""
    for path in paths:
        frame, about = read_table(path)
        write_table(path, frame, {**about, "evaluator_precision": precision})


def test_scores_of_one_precision_stand_in_a_table_and_are_named(tmp_path):
    folder = make_run(tmp_path)
    paths = sorted(folder.glob("evaluate/*/*/seed*/replications.parquet"))
    scored_in("fp32", paths[:1])  # the others, of an older version, name none: float32
    assert len(Records(folder).evaluations)
    assert IN_BF16 not in build("finetuning", Records(folder)).notes
    scored_in("bf16", paths[:1])
    with pytest.raises(InputError, match="evaluator_precision differs"):
        _ = Records(folder).evaluations
    scored_in("bf16", paths)
    for records in (Records(folder), store(Records(folder), tmp_path / "kept")):
        assert IN_BF16 in build("finetuning", records).notes
        assert IN_BF16 in build("prompts", records).notes
        assert IN_BF16 not in build("tuning", records).notes  # of the judge, which is in float32
        assert recorded(records).endswith(IN_BF16)
    assert StoredRecords(tmp_path / "kept").about["evaluator_precision"] == "bf16"
