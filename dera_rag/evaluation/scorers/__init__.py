"""Scorers: what a number says about one answer, one idea a file."""
