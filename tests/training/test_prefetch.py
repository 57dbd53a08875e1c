"""What is made ahead is what is asked for."""

from __future__ import annotations

import threading

import pytest

from motionrft.training.prefetch import Prefetched


def test_a_worker_makes_the_next_item_once():
    made: list[tuple[int, str]] = []

    def make(k: int) -> int:
        made.append((k, threading.current_thread().name))
        return k * k

    items = Prefetched(make, "cpu")
    items.worker = True
    assert [items(k) for k in (3, 4, 5, 9, 10)] == [9, 16, 25, 81, 100]
    items.pool.shutdown()
    assert sorted(k for k, _ in made) == [3, 4, 5, 6, 9, 10, 11]
    by_worker = {k for k, name in made if name.startswith("prefetch")}
    assert by_worker == {4, 5, 6, 10, 11}


def test_an_error_of_the_worker_reaches_the_caller_in_its_turn():
    items = Prefetched(lambda k: 1 // (4 - k), "cpu")
    items.worker = True
    assert items(3) == 1
    with pytest.raises(ZeroDivisionError):
        items(4)


def test_a_cpu_has_no_worker():
    items = Prefetched(lambda k: k, "cpu")
    assert items(1) == 1
    assert items.pool is None
