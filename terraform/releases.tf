# The versions of these two objects say which release answered when: captured records name only the
# variant, and after a rollback the newest release is not the active one. The first object is
# written before the endpoint is updated, the second after it. The second names the version of the
# first, so it is written again even if an update restores the previous release. Both have what the
# release's answers are judged by, since a report may be read when another one answers.
locals {
  answering = { release = var.active_release, threshold = local.threshold, labels = local.labels }
}

resource "aws_s3_object" "chosen_release" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = module.storage.versioned_bucket_names["data"]
  key          = "daily-report/chosen-release.json"
  content      = jsonencode(local.answering)
  content_type = "application/json"
}

resource "aws_s3_object" "active_release" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = module.storage.versioned_bucket_names["data"]
  key          = "daily-report/active-release.json"
  content      = jsonencode(merge(local.answering, { rollout = aws_s3_object.chosen_release.version_id }))
  content_type = "application/json"

  depends_on = [module.endpoint]
}
