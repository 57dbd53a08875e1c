"""Text encoders, and the features of all captions of a run, computed once."""
