"""The report on an endpoint: figures for programs, a page for people, charts for documents."""

from scones_monitor.report.figures import (
    Cost,
    Explain,
    Provenance,
    ReportData,
    Run,
    figures,
    unexplained,
)
from scones_monitor.report.page import write_report
from scones_monitor.report.text import verdict

__all__ = [
    "Cost",
    "Explain",
    "Provenance",
    "ReportData",
    "Run",
    "figures",
    "unexplained",
    "verdict",
    "write_report",
]
