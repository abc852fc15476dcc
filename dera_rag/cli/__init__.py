"""The command line: one module per verb, and the only room that prints."""

from dera_rag.cli.app import app, main

__all__ = ["app", "main"]
