# Retrains the active model with the reviewers' answers, and proposes the result. It deploys
# nothing: only release.tfvars.json changes what is released.

locals {
  name     = "${var.environment.prefix}-retrain"
  aws      = "arn:${var.environment.partition}"
  regional = "${var.environment.region}:${var.environment.account_id}"
  arns = {
    state_machine = "${local.aws}:states:${local.regional}:stateMachine:${local.name}"
    group         = "${local.aws}:sagemaker:${local.regional}:model-package-group/${var.model_group}"
    package       = "${local.aws}:sagemaker:${local.regional}:model-package/${var.model_group}/*"
    data          = "${local.aws}:s3:::${var.environment.buckets.data}"
    artifacts     = "${local.aws}:s3:::${var.environment.buckets.artifacts}"
  }
}

module "job_state_machine" {
  source = "../job_state_machine"

  environment     = var.environment
  name            = "retrain"
  definition_path = var.definition_path
  jobs            = ["Processing", "Training"]
  instance        = { type = var.instance_type, volume_gb = 30 }
  statements      = local.statements
  starters        = ["events.amazonaws.com", "scheduler.amazonaws.com"]

  placeholders = {
    training_image  = var.training_image
    serving_image   = var.release.image
    dataset_version = var.release.dataset_version
    # JSON is valid JSONata.
    hyperparameters  = "{% ${jsonencode(var.hyperparameters)} %}"
    model_group      = var.model_group
    active_model     = var.release.model_data_url
    active_threshold = tostring(var.release.threshold)
    quality          = jsonencode(var.quality)
    topic_arn        = var.topic_arn
  }

  schedule = var.schedule == null ? null : {
    expression  = var.schedule.expression
    description = "Starts a retraining if enough images were labelled since the last one"
    input       = jsonencode({ reason = "the schedule", min_new_images = var.schedule.min_new_images })
  }
}

resource "aws_cloudwatch_event_rule" "alarms" {
  for_each = toset(length(var.alarms.names) == 0 ? [] : ["this"])

  name        = "${local.name}-on-alarm"
  description = "Starts a retraining when one of these alarms is raised: ${join(", ", var.alarms.names)}"
  event_pattern = jsonencode({
    source        = ["aws.cloudwatch"]
    "detail-type" = ["CloudWatch Alarm State Change"]
    detail = {
      alarmName = var.alarms.names
      state     = { value = ["ALARM"] }
    }
  })
}

resource "aws_cloudwatch_event_target" "alarms" {
  for_each = aws_cloudwatch_event_rule.alarms

  rule     = each.value.name
  arn      = module.job_state_machine.state_machine_arn
  role_arn = module.job_state_machine.role_arns.starter

  input_transformer {
    input_paths    = { alarm = "$.detail.alarmName" }
    input_template = "{\"reason\": \"the alarm <alarm>\", \"min_new_images\": ${var.alarms.min_new_images}}"
  }
}
