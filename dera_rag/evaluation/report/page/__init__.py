"""A run as one HTML file that loads nothing.

| what | file |
|---|---|
| the whole page, part by part | `report` |
| one file with a policy that allows nothing else | `shell`, `markup` |
| figures as inline SVG | `svg`, `curve_chart`, `frontier_chart`, `risk_chart` |
| tables | `tables`, `findings`, `appendix` |
| questions and answers, compressed | `questions`, `traces`, `packing` |
| style and scripts, as they stand in the page | `assets/` |
"""

from dera_rag.evaluation.report.page.report import render

__all__ = ["render"]
