"""Candidates for a release: the versions of a model package group in SageMaker's registry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import ReleaseError
from scones_train.sagemaker.model_package import (
    ALGORITHM,
    APPROVED,
    DATA_HASH,
    DATASET,
    IMAGES,
    JOB,
    PENDING,
    REJECTED,
    SOURCE,
    Contract,
    Training,
    package_request,
)


class SageMaker(Protocol):
    """The part of boto3's `sagemaker` client that the registry is kept with."""

    def create_model_package(self, **request: Any) -> Mapping[str, Any]:
        """Make a version of a group."""

    def list_model_packages(self, **request: Any) -> Mapping[str, Any]:
        """Return one page of a group's versions."""

    def describe_model_package(self, *, ModelPackageName: str) -> Mapping[str, Any]:
        """Return a version."""

    def update_model_package(self, **request: Any) -> Any:
        """Change a version's approval."""

    def delete_model_package(self, *, ModelPackageName: str) -> Any:
        """Remove a version."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model in the registry; `status` is AWS's approval state, `note` its reason.

    What was registered as rejected has its reason in the description: CreateModelPackage takes
    no other.
    """

    version: int
    arn: str
    status: str
    note: str
    created: datetime
    training: Training

    @property
    def approved(self) -> bool:
        """Whether it may be released."""
        return self.status == APPROVED

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Return the candidate that DescribeModelPackage describes.

        Raises ReleaseError for a package that this project did not make.
        """
        try:
            status = found.get("ModelApprovalStatus") or PENDING
            container = found["InferenceSpecification"]["Containers"][0]
            properties = dict(found.get("CustomerMetadataProperties") or {})
            training = Training(
                job=properties.pop(JOB, ""),
                algorithm=properties.pop(ALGORITHM, "scones"),
                data_source=properties.pop(SOURCE, ""),
                image=container["Image"],
                model_data_url=container["ModelDataUrl"],
                dataset_version=properties.pop(DATASET, ""),
                manifest_sha256=properties.pop(DATA_HASH, ""),
                commit=(found.get("MetadataProperties") or {}).get("CommitId", ""),
                metrics={name: float(text) for name, text in properties.items()},
            )
            return cls(
                version=int(found["ModelPackageVersion"]),
                arn=found["ModelPackageArn"],
                status=status,
                note=found.get("ApprovalDescription")
                or (found.get("ModelPackageDescription", "") if status == REJECTED else ""),
                created=found["CreationTime"],
                training=training,
            )
        except (KeyError, IndexError, ValueError, TypeError) as error:
            arn = found.get("ModelPackageArn", "A model package")
            raise ReleaseError(f"{arn} is no candidate of this project ({error!r}).") from error


class Registry:
    """The candidates of one group. Its methods raise ReleaseError where AWS refuses.

    `contract` is what a candidate that is added says of its container; `listed_by` is the task
    that an error names.
    """

    def __init__(
        self,
        sagemaker: SageMaker,
        group: str,
        contract: Contract = IMAGES,
        listed_by: str = "inv candidates",
    ) -> None:
        self._sagemaker, self.group = sagemaker, group
        self._contract, self._listed_by = contract, listed_by

    def add(self, training: Training) -> Candidate:
        """Make a trained model a candidate that waits for its approval, and return it."""
        request = package_request(self.group, training, self._contract)
        arn = self._call("create_model_package", **request)
        return self._describe(arn["ModelPackageArn"])

    def all(self) -> Iterator[Candidate]:
        """Yield every candidate, newest first; each is read as it is asked for."""
        request: dict[str, Any] = {
            "ModelPackageGroupName": self.group,
            "ModelPackageType": "Versioned",
            "SortBy": "CreationTime",
            "SortOrder": "Descending",
        }
        while True:
            page = self._call("list_model_packages", **request)
            for found in page["ModelPackageSummaryList"]:
                yield self._describe(found["ModelPackageArn"])
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]

    def get(self, version: int) -> Candidate:
        """Return the candidate of a version."""
        for candidate in self.all():
            if candidate.version == version:
                return candidate
        raise ReleaseError(f"There is no candidate {version}; `{self._listed_by}` lists them.")

    def of_artifact(self, model_data_url: str) -> Candidate:
        """Return the newest candidate whose model is at this location."""
        for candidate in self.all():
            if candidate.training.model_data_url == model_data_url:
                return candidate
        raise ReleaseError(
            f"{model_data_url} is no candidate of {self.group}; `inv train` makes them."
        )

    def decide(self, version: int, *, approved: bool, note: str) -> Candidate:
        """Approve or reject a candidate, and return it as it is then."""
        arn = self.get(version).arn
        # The description would else be taken for the reason of a rejection.
        note = note or ("" if approved else "without a note")
        self._call(
            "update_model_package",
            ModelPackageArn=arn,
            ModelApprovalStatus=APPROVED if approved else REJECTED,
            ApprovalDescription=note,
        )
        return self._describe(arn)

    def clear(self) -> int:
        """Remove every candidate, as a group must be empty to be deleted; return how many."""
        arns = [candidate.arn for candidate in self.all()]
        for arn in arns:
            self._call("delete_model_package", ModelPackageName=arn)
        return len(arns)

    def _describe(self, arn: str) -> Candidate:
        return Candidate.of(self._call("describe_model_package", ModelPackageName=arn))

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._sagemaker, operation)(**request)
        except (ClientError, BotoCoreError) as error:
            raise ReleaseError(f"The registry {self.group} cannot be used: {error}") from error
