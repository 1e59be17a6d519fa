"""Extract, transform and load: from an archive of images to a proven dataset in S3."""

from scones_etl.load import UploadReport, read_manifest, upload
from scones_etl.pipeline import stage
from scones_etl.progress import Progress
from scones_etl.raw import RawDataset, Source
from scones_etl.report import report, write_report
from scones_etl.sources import resolve_source
from scones_etl.staged import Dropped, StagedDataset

__all__ = [
    "Dropped",
    "Progress",
    "RawDataset",
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
