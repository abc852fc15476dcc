"""Words that say how an answer speaks, rather than what of.

English, and short on purpose: each list is a habit of language models that people marked as
unsupported more often than other sentences (praise, hedges, causes), or of answers that speak about
their passages, which are marked less often.
"""

from __future__ import annotations

from dera_rag.evaluation.scorers.text import stem

VAGUE = frozenset(
    map(
        stem,
        """popular famous known renowned great perfect ideal excellent wonderful delicious cozy
        vibrant various variety several overall generally typically often usually likely may might
        could possibly potentially additionally furthermore however important essential ensure
        provide offer include such many""".split(),  # noqa: SIM905
    )
)
META = frozenset(
    map(
        stem,
        """passage provided based information text context document source mention state according
        unable answer""".split(),  # noqa: SIM905
    )
)
MODAL = frozenset(
    """may might can could would should will must likely possibly perhaps probably suggests suggest
    seems seem appears appear believed reportedly""".split()  # noqa: SIM905
)
LINKS = frozenset(
    """because due therefore thus hence so since after before while despite although though but
    however instead unless until during when if then than both either neither only also still
    already yet again""".split()  # noqa: SIM905
)
ABSOLUTE = frozenset(
    """all every always never only most best worst first last any none entire entirely completely
    must highest lowest largest biggest main primary""".split()  # noqa: SIM905
)
