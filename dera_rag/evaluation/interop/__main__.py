"""The command line of lm-evaluation-harness, with the model `dera` in it.

python -m dera_rag.evaluation.interop run --model dera --model_args lam=1.5 --tasks arc_easy
"""

from __future__ import annotations

import dera_rag.evaluation.interop.harness  # noqa: F401  # it registers the model


def main() -> None:
    """Run `lm_eval` as if it had been typed."""
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()


if __name__ == "__main__":
    main()
