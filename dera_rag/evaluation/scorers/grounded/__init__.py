"""Grounded-ness without a network: does the passage carry what the answer says, and where not."""
