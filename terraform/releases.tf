# Which release answered when, for whoever reads captured records: their variant has one name
# whatever it serves, and after a rollback the newest release is not the one that answers. The
# versions of both objects are the history. The first is written before the endpoint is updated,
# the second once the update is over; it names the version of the first, so that it is written
# again even where the release that was active comes back.

resource "aws_s3_object" "chosen_release" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = module.storage.versioned_bucket_names["data"]
  key          = "daily-report/chosen-release.json"
  content      = jsonencode({ release = var.active_release })
  content_type = "application/json"
}

resource "aws_s3_object" "active_release" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = module.storage.versioned_bucket_names["data"]
  key          = "daily-report/active-release.json"
  content      = jsonencode({ release = var.active_release, rollout = aws_s3_object.chosen_release.version_id })
  content_type = "application/json"

  depends_on = [module.endpoint]
}
