"""The folder of evaluators: found by name, and clear about what one cannot do."""

import pytest

from motionrft import drop_ins
from motionrft.errors import InputError
from motionrft.evaluation import evaluators
from motionrft.evaluation.evaluator import EvaluatorKind


@pytest.mark.parametrize("name", drop_ins.names(evaluators.__name__))
def test_every_file_of_the_folder_is_an_evaluator(name):
    assert isinstance(evaluators.load(name), EvaluatorKind)


def test_an_unknown_network_and_one_that_cannot_be_trained_are_errors(text):
    with pytest.raises(InputError, match=r"unknown evaluator network 'tm2'.*did you mean t2m"):
        evaluators.load("tm2")
    with pytest.raises(InputError, match="evaluator 'spm' cannot be trained here"):
        evaluators.load("spm").train({"network": "spm"}, "features", text, "checkpoint", "cpu")
