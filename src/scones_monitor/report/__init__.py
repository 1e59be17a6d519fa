"""The report on an endpoint: figures for programs, a page for people, charts for documents."""

from scones_monitor.report.data import Cost, Provenance, ReportData, Run, figures
from scones_monitor.report.page import write_report
from scones_monitor.report.text import verdict

__all__ = ["Cost", "Provenance", "ReportData", "Run", "figures", "verdict", "write_report"]
