"""Libraries load without garbage collection, and nothing else does."""

import gc

import pytest

from motionrft.loading import loading


def test_the_collector_rests_inside_alone():
    with loading():
        assert not gc.isenabled()
        with loading():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_again_after_an_error():
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()


def test_who_switched_it_off_keeps_it_off():
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
