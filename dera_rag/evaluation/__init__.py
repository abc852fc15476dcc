"""Measuring answers: faithfulness, naturalness, and what they cost."""
