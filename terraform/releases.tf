# The versions of these two objects say which release answered when: captured records name only the
# variant, and after a rollback the newest release is not the active one. The first object is
# written before the endpoint is updated, the second after it. The second names the version of the
# first, so it is written again even if an update restores the previous release. Both have what the
# release's answers are judged by, since a report may be read when another one answers.
locals {
  answering = { release = var.active_release, threshold = local.threshold, labels = local.labels }
}

locals {
  # By region, account and name, which an image's name and a repository's ARN have in common.
  pulled_repositories = [
    for arn in concat([local.arns.repository, local.builtin_repository_arn], var.model_repository_arns) :
    join("/", slice(split(":", replace(arn, ":repository/", ":")), 3, 6))
  ]
  served_images = [for name in compact([var.active_release, var.shadow_release, try(var.challenger.release, null)]) : var.releases[name].image]
  job_images    = compact([try(var.retraining.training_image, null), try(var.monitoring.image, null), try(var.demand.enabled, false) ? try(var.demand.model.image, null) : null])
  images        = distinct(concat(local.served_images, local.job_images))
  # On one line each: Checkov cannot read a condition that goes on in the next.
  repository_of = {
    for image in local.images :
    image => try(format("%[2]s/%[1]s/%[3]s", regex("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.[a-z.]+/([^:@]+)", image)...), "")
  }
  foreign_images = [
    for image in local.images :
    image if !(contains(local.pulled_repositories, local.repository_of[image]) && strcontains(image, ".dkr.ecr.${var.region}."))
  ]
}

resource "aws_s3_object" "chosen_release" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = module.storage.versioned_bucket_names["data"]
  key          = "daily-report/chosen-release.json"
  content      = jsonencode(local.answering)
  content_type = "application/json"

  # Before anything is changed: SageMaker says so only when an endpoint is created or a job runs.
  lifecycle {
    precondition {
      condition     = length(local.foreign_images) == 0
      error_message = "The role may not pull ${join(", ", local.foreign_images)}: an image must be in ${local.arns.repository} or in a repository of ${var.region} in model_repository_arns, and that repository must let the account ${data.aws_caller_identity.this.account_id} pull."
    }
  }
}

resource "aws_s3_object" "active_release" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = module.storage.versioned_bucket_names["data"]
  key          = "daily-report/active-release.json"
  content      = jsonencode(merge(local.answering, { rollout = aws_s3_object.chosen_release.version_id }))
  content_type = "application/json"

  depends_on = [module.endpoint]
}
