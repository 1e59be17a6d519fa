"""What reviewers answered: the record of an answer, what several say, and where answers lie."""

from scones_core.reviews.answers import (
    MAX_LINE_BYTES,
    Action,
    Answer,
    Faults,
    InvalidAnswer,
    answer_line,
    parse_answer,
    parse_lines,
    require_reviewer,
)
from scones_core.reviews.consensus import (
    Agreement,
    Consensus,
    agreement,
    cohens_kappa,
    consensus,
    current_answers,
)
from scones_core.reviews.shared import (
    IMAGES,
    Part,
    SharedAnswers,
    find_parts,
    part_key,
    read_answers,
)

__all__ = [
    "IMAGES",
    "MAX_LINE_BYTES",
    "Action",
    "Agreement",
    "Answer",
    "Consensus",
    "Faults",
    "InvalidAnswer",
    "Part",
    "SharedAnswers",
    "agreement",
    "answer_line",
    "cohens_kappa",
    "consensus",
    "current_answers",
    "find_parts",
    "parse_answer",
    "parse_lines",
    "part_key",
    "read_answers",
    "require_reviewer",
]
