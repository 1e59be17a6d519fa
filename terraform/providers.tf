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

# From the provider's own table, without a call to AWS; used only by training jobs that ask for it.
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
  # AWS's registry lets every account pull; the roles of jobs and endpoint need the permission too.
  builtin_repository_arn = format(
    "arn:%s:ecr:%s:%s:repository/%s",
    data.aws_partition.this.partition, var.region,
    data.aws_sagemaker_prebuilt_ecr_image.builtin.registry_id,
    data.aws_sagemaker_prebuilt_ecr_image.builtin.repository_name,
  )

  # `inv demand.train --algorithm builtin` trains in it.
  autogluon_repository_arns = try(var.demand.enabled, false) ? [format(
    "arn:%s:ecr:%s:%s:repository/%s",
    data.aws_partition.this.partition, var.region,
    data.aws_sagemaker_prebuilt_ecr_image.autogluon.registry_id,
    data.aws_sagemaker_prebuilt_ecr_image.autogluon.repository_name,
  )] : []
}
