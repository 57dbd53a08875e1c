"""Trained models as tools: a sentence in, a motion out; a motion in, a score out."""
