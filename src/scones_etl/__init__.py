"""Extract, transform and load: from an archive of images to a proven dataset in S3."""

from scones_etl.duplicates import Removed
from scones_etl.extract.resolve import resolve_source
from scones_etl.extract.source import RawDataset, Source
from scones_etl.load import UploadReport, read_manifest, upload
from scones_etl.pipeline import Progress, StagedDataset, stage
from scones_etl.report import report, write_report

__all__ = [
    "Progress",
    "RawDataset",
    "Removed",
    "Source",
    "StagedDataset",
    "UploadReport",
    "read_manifest",
    "report",
    "resolve_source",
    "stage",
    "upload",
    "write_report",
]
