"""Recorded reference numbers against this installation: what `python -m motionrft verify` runs.

`case` reads records and remembers what was compared, `run` finds the family of each; `families/` holds the checks.
"""
