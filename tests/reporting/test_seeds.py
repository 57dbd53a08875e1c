"""A reader is told where methods have different numbers of seeds."""

from motionrft.reporting.seeds import seeds_of, seeds_told, unequal_seeds

METHODS = {
    "easytune": {"training": True},
    "draft-10": {"training": True},
    "best-of-4": {"training": False},
}


def run(**seeds):
    matrix = [
        {"backbone": "mld", "method": name.replace("_", "-"), "seeds": list(range(count))}
        for name, count in seeds.items()
    ]
    return {"backbones": ["mld"], "methods": METHODS, "matrix": matrix, "seeds": [0, 1, 2]}


def test_as_many_for_each():
    assert seeds_told(run(easytune=3, draft_10=3)) == "3 seeds"
    assert seeds_told(run(easytune=1)) == "one seed"
    assert unequal_seeds(run(easytune=3, draft_10=3)) == []


def test_what_only_samples_has_no_training_seeds():
    assert seeds_told(run(easytune=3, best_of_4=1)) == "3 seeds"
    assert unequal_seeds(run(easytune=3, best_of_4=1)) == []
    assert seeds_told(run(best_of_4=1)) == "3 seeds"


def test_more_for_some():
    several = run(draft_10=5, easytune=13)
    assert seeds_of(several, "mld") == {13: ["easytune"], 5: ["draft-10"]}
    assert seeds_told(several) == "5 to 13 seeds"
    [note] = unequal_seeds(several)
    assert note.startswith("mld: seeds are 13 of easytune; 5 of draft-10. A mean is over all")
