"""Extract, transform and load: from an archive of images to a proven dataset in S3."""
