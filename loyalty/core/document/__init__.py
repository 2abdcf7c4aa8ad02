"""Reads and checks a program document, and renders one as data. A mistake names its path, the value found and what was expected, and nothing is
taken.

The document is plain data (from TOML, JSON or a form). Its keys are the fields of the program's values; a rule that is switched off
(``enabled``) stays in the document and is not in the program.
"""

from loyalty.core.document.default import DEFAULT_DOCUMENT
from loyalty.core.document.difference import Change, difference
from loyalty.core.document.earning import ROUNDINGS
from loyalty.core.document.kinds import MOST_POINTS, zones
from loyalty.core.document.mistakes import Mistake, ProgramInvalid
from loyalty.core.document.program import parse_program, read_reward, render_program, render_reward
from loyalty.core.document.rewards import MOST_REWARDS
from loyalty.core.document.text import Unreadable, plain, read_text

__all__ = [
    "DEFAULT_DOCUMENT",
    "MOST_POINTS",
    "MOST_REWARDS",
    "ROUNDINGS",
    "Change",
    "Mistake",
    "ProgramInvalid",
    "Unreadable",
    "difference",
    "parse_program",
    "plain",
    "read_reward",
    "read_text",
    "render_program",
    "render_reward",
    "zones",
]
