"""The writer of the official layout under the name by which tools outside of this package import it."""

from motionrft.corpus.official.writer import captions_of, write_official

__all__ = ["captions_of", "write_official"]
