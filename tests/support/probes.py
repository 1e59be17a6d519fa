"""What each statement of the environment's roles is for."""

from collections.abc import Callable

from tests.support.endpoint_probes import EndpointProbes
from tests.support.workflow_probes import FUNCTIONS


class Probes(EndpointProbes):
    """Short pieces of the workflow, by the statement that they need."""

    def of(self, role: str, sid: str) -> Callable[[], bool]:
        """Return what a statement of a role's policy is for."""
        if sid == "DistinguishMissingImages":
            return self.distinguishes_missing(role)
        if sid == "Log" and role in FUNCTIONS:
            return self.logged(role)
        alone = {
            ("workflow", "PutMetrics"): self.counts_failures,
            ("endpoint", "Log"): self.endpoint_logs,
            ("endpoint", "WriteCapture"): self.captures,
            ("endpoint", "ReadRollbackAlarms"): self.updates,
            ("endpoint", "ListModels"): self.distinguishes_missing_model,
            ("endpoint", "ReadRequests"): self.answers_asynchronously,
            ("endpoint", "WriteAnswers"): self.answers_asynchronously,
            ("training", "KeepCheckpoints"): self.checkpoints,
            ("training", "ListCheckpoints"): self.checkpoints,
            ("off_hours", "DeleteEndpoint"): self.goes_down,
            ("off_hours", "ReportFailures"): self.reports_failures,
        }
        whole = {"endpoint": self.serves, "training": self.trains, "off_hours": self.comes_up}
        return alone.get((role, sid)) or whole.get(role, self.classified)
