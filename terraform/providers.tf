# Endpoints come only from AWS_ENDPOINT_URL, so that the same configuration runs anywhere.
provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]
  s3_use_path_style   = var.aws_api.s3_path_style
  max_retries         = var.aws_api.max_retries

  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

# A table of the provider: nothing is asked, and nothing is used unless a job takes it.
data "aws_sagemaker_prebuilt_ecr_image" "builtin" {
  repository_name = "image-classification"
  image_tag       = "1"
  region          = var.region
}

data "aws_sagemaker_prebuilt_ecr_image" "autogluon" {
  repository_name = "autogluon-training"
  image_tag       = "1.1.1-cpu-py311-ubuntu20.04"
  region          = var.region
}

locals {
  # Amazon's account lets every other one pull from it; the jobs' and the endpoint's roles must too.
  builtin_repository_arn = format(
    "arn:%s:ecr:%s:%s:repository/%s",
    data.aws_partition.this.partition, var.region,
    data.aws_sagemaker_prebuilt_ecr_image.builtin.registry_id,
    data.aws_sagemaker_prebuilt_ecr_image.builtin.repository_name,
  )

  # Demand models are trained in it, by --algorithm builtin.
  autogluon_repository_arns = try(var.demand.enabled, false) ? [format(
    "arn:%s:ecr:%s:%s:repository/%s",
    data.aws_partition.this.partition, var.region,
    data.aws_sagemaker_prebuilt_ecr_image.autogluon.registry_id,
    data.aws_sagemaker_prebuilt_ecr_image.autogluon.repository_name,
  )] : []
}
