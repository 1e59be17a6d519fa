"""What each statement of the environment's roles is for."""

from collections.abc import Callable
from functools import cached_property

from scones_deploy.bundle import FUNCTIONS
from tests.support.environments.daily_reports import DailyReports
from tests.support.permissions.endpoint_probes import EndpointProbes
from tests.support.permissions.job_probes import JobProbes
from tests.support.permissions.workflow_probes import PREFIX


class Probes(EndpointProbes):
    """Short pieces of the workflow, by the statement that they need."""

    @cached_property
    def reports(self) -> DailyReports:
        """Return what runs the daily report, with an image in the day that is reported."""
        made = DailyReports(self.environment)
        made.put(made.day(5), [0.9])
        return made

    @cached_property
    def jobs(self) -> JobProbes:
        """Return what runs the retraining's and the demand forecast's steps."""
        return JobProbes(self.environment)

    def reports_a_day(self) -> bool:
        """A day is reported, with all that AWS knows of the endpoint."""
        day = self.reports.day(5)
        if self.reports.run(day=day)["status"] != "SUCCEEDED":
            return False
        figures = self.reports.figures(day)
        return bool(figures["captured_records"] and not figures["left_out"])

    def logs_a_report(self) -> bool:
        """The first processing job of an account makes the log group, and writes its log."""
        self.jobs.forget("ProcessingJobs")
        return self.reports_a_day() and self.jobs.logged("ProcessingJobs", f"{PREFIX}daily-report")

    def starts_a_report(self) -> bool:
        """The schedule starts an execution."""
        started = self.reports.fire()
        if started:
            self.environment.client("stepfunctions").stop_execution(executionArn=started)
        return bool(started)

    def of(self, role: str, sid: str) -> Callable[[], bool]:
        """Return what a statement of a role's policy is for."""
        if role.startswith(("retrain_", "demand_")):
            return self.jobs.of(role, sid)
        return self._of_workflow(role, sid)

    def _of_workflow(self, role: str, sid: str) -> Callable[[], bool]:
        if sid == "DistinguishMissingImages":
            return self.distinguishes_missing(role)
        if sid == "Log" and role in FUNCTIONS:
            return self.logged(role)
        inbox = {
            "TakeMessages": self.takes_the_inbox,
            "StartWorkflow": self.takes_the_inbox,
            "PutAside": self.puts_aside,
            "WriteManifests": self.starts_with_a_manifest,
            "UseKey": self.starts_with_a_manifest,
        }
        if role == "collect_inbox":
            return inbox[sid]
        recorded = {
            "AskForReview": self.asks_for_review(role),
            "SendDeadLetters": self.records(role, "failed"),
            "ReadMapRuns": self.closes_runs,
        }
        if role in ("classify_batch", "record_results"):
            if role == "record_results" and sid in ("WriteResults", "UseKey"):
                return self.closes_runs
            return recorded.get(sid, self.records(role, "accepted"))
        alone = {
            ("filter_inferences", "ReadAssignments"): self.assigns_a_new_class,
            ("workflow", "StartBatches"): self.classified_in_batches,
            ("workflow", "ListImages"): self.classified_in_batches,
            ("workflow", "WriteMapRuns"): self.classified_in_batches,
            ("workflow", "UseKey"): self.classified_in_batches,
            ("workflow", "ReadManifests"): self.takes_manifests,
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
            ("report_jobs", "WriteLogs"): self.logs_a_report,
            ("report_jobs", "CreateProcessingLogGroup"): self.logs_a_report,
        }
        whole = {
            "endpoint": self.serves,
            "training": self.trains,
            "off_hours": self.comes_up,
            "report_machine": self.reports_a_day,
            "report_jobs": self.reports_a_day,
            "report_starter": self.starts_a_report,
        }
        return alone.get((role, sid)) or whole.get(role, self.classified)
