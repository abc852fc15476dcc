"""The exact instruments and plain counts of this package, as scorers."""
