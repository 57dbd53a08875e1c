"""Motions to look at: a page that plays them without a server, and films."""
