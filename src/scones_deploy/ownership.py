"""Whose a resource is: its tags say so, and nothing else does."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scones_core.errors import DeployError

NAMED = re.compile(r'^\s*project\s*=\s*"([^"]+)"', re.MULTILINE)
PROJECT, ENVIRONMENT = "Project", "Environment"


@dataclass(frozen=True, slots=True)
class Owner:
    """An environment of a project; a name proves nothing, `scones-dev-2` is not `scones-dev`."""

    project: str
    environment: str

    @classmethod
    def of(cls, variables: Path, environment: str) -> "Owner":
        """Return the owner that an environment's `env.tfvars` names.

        Raises DeployError where the file cannot be read; without `project` in it, it is the
        default of Terraform's variable.
        """
        try:
            found = NAMED.search(variables.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DeployError(f"{variables} cannot be read: {error}.") from error
        return cls(found[1] if found else "scones", environment)

    @property
    def prefix(self) -> str:
        """The start of every name that Terraform gives; another owner's may begin so too."""
        return f"{self.project}-{self.environment}-"

    def owns(self, tags: Iterable[Mapping[str, str]]) -> bool:
        """Return whether both tags are there and say this environment of this project."""
        found = {tag["Key"]: tag["Value"] for tag in tags}
        return (found.get(PROJECT), found.get(ENVIRONMENT)) == (self.project, self.environment)

    def filters(self) -> list[dict[str, Any]]:
        """Return the tag filters of the Resource Groups Tagging API."""
        return [
            {"Key": PROJECT, "Values": [self.project]},
            {"Key": ENVIRONMENT, "Values": [self.environment]},
        ]

    def tagged_arns(self, tagging: Any) -> list[str]:
        """Return the ARN of every tagged resource in the region, as the Tagging API lists them."""
        pages = tagging.get_paginator("get_resources").paginate(TagFilters=self.filters())
        return [item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]]
