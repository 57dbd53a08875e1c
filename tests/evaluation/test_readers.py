from __future__ import annotations

from motionrft.evaluation.readers import CacheReader


def test_the_cache_reader_counts_real_tokens(text):
    words, pos, lengths = CacheReader(text)(["a person will walk", "someone does run"])
    assert pos is None
    assert lengths.tolist() == [5, 4]
    assert words.shape == (2, 5, 8)
