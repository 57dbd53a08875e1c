"""The paper's numbers, and when ours may be compared with them."""

from motionrft.reporting.published import comparable, intervals, published, row


def test_published_numbers_say_where_they_come_from(records):
    assert row("finetune_h3d", method="EasyTune (step opt.)")["R1"] == 0.581
    assert row("generalize_h3d", group="MDM-50step", method="Base")["FID"] == 0.489
    assert row("sota_h3d", group="joint", method="ACMDM (base)")["FID"] == 0.109
    assert row("sota_h3d", group="joint", method="nobody") == {}
    assert all(table["source"] for table in published().values())
    verdict, why = comparable(records.run, "self-trained")
    assert verdict is False
    assert "toy" in why
    paper = {"corpus": {"kind": "humanml3d"}, "size": "paper"}
    assert comparable(paper, "official")[0] is True
    assert comparable(paper, "self-trained")[0] is False
    verdict, why = comparable(paper, "official", precision="bf16")
    assert verdict is False
    assert "bf16" in why
    # each representation's row was scored with an evaluator of its own
    for section, representation in (
        ({"channels": "all but contacts"}, "kinematic"),
        ({"channels": "first 67"}, "joint"),
        ({"network": "spm", "channels": "all but contacts"}, "rotation"),
    ):
        for other in ("kinematic", "joint", "rotation"):
            verdict, why = comparable(
                {**paper, "evaluator": section}, "official", representation=other
            )
            assert verdict is (other == representation), (section, other)
            assert verdict or representation in why


def test_published_intervals_only_beside_the_very_same_value():
    found = intervals(row("finetune_h3d", method="EasyTune (step opt.)"))
    assert (found["R1_ci"], found["FID_ci"]) == (0.003, 0.005)
    assert "R1_ci" not in intervals(row("generalize_h3d", group="MLD", method="+ MotionRFT"))
