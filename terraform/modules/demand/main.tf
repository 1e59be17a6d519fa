# Forecasts demand with a model that a person approved. Without one, only the model package group
# of the candidates is declared.

locals {
  name = "${var.environment.prefix}-demand"
  data = "arn:${var.environment.partition}:s3:::${var.environment.buckets.data}"
  this = toset(var.model == null ? [] : ["this"])

  # A model cannot be changed, so each has a name of its own.
  model_name = "${local.name}-${substr(sha256(jsonencode(var.model)), 0, 8)}"
}

resource "aws_sagemaker_model_package_group" "this" {
  model_package_group_name        = local.name
  model_package_group_description = "Trained demand forecasts of this environment, each with its figures and whether it may be used"
}

module "job_state_machine" {
  source   = "../job_state_machine"
  for_each = local.this

  environment     = var.environment
  name            = "demand"
  definition_path = var.definition_path
  placeholders    = { model_name = local.model_name }
  jobs            = ["Transform"]
  instance        = { type = var.instance_type }
  statements      = local.statements

  schedule = var.schedule == null ? null : {
    expression  = var.schedule.expression
    timezone    = var.schedule.timezone
    description = "Forecasts the hours in demand/input/"
    input       = "{}"
  }
}

resource "aws_sagemaker_model" "this" {
  for_each = local.this

  name = local.model_name
  # SageMaker reads the artifact by it as it creates the model.
  execution_role_arn       = module.job_state_machine["this"].role_arns.jobs
  enable_network_isolation = true

  primary_container {
    image          = var.model.image
    model_data_url = var.model.model_data_url
    environment    = { SCONES_WORKLOAD = "demand" }
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = startswith(var.model.model_data_url, "s3://${var.environment.buckets.artifacts}/model/")
      error_message = "demand.model takes its model from ${var.model.model_data_url}, but it must lie below s3://${var.environment.buckets.artifacts}/model/: copy the artifact there and name it again."
    }
  }
}
