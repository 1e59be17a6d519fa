"""Where the embedded AWS is known to differ from AWS: each case with its reason and its error.

What cannot be had here answers with a clear error, never with a wrong success. The test beside
this file makes every call and looks for that error. An entry goes when the difference does.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One call that AWS takes and the embedded AWS refuses.

    `parameters` are those of boto3. `says` are words that the message of the error has in it.
    """

    service: str
    operation: str
    differs: str
    reason: str
    code: str
    says: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what a test report calls it."""
        return f"{self.service}.{self.operation}: {self.differs}"


_NO_SERVICE = "The embedded AWS does not implement"

DIFFERENCES = (
    Difference(
        service="wellarchitected",
        operation="list_lenses",
        differs="a service that the project does not use",
        reason="The embedded AWS executes what the project deploys, and nothing beyond it.",
        code="NotImplemented",
        says=f"{_NO_SERVICE} wellarchitected",
    ),
    Difference(
        service="lambda",
        operation="get_function_recursion_config",
        parameters={"FunctionName": "any"},
        differs="an action that moto lacks",
        reason="moto answers it with a fault, which clients would try again for minutes.",
        code="NotImplemented",
        says="recursion-config",
    ),
)
