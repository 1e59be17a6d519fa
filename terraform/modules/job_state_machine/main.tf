# A state machine that runs SageMaker jobs and waits for them, what may start it, and its roles.

locals {
  prefix   = var.environment.prefix
  name     = "${local.prefix}-${var.name}"
  regional = "${var.environment.region}:${var.environment.account_id}"
  aws      = "arn:${var.environment.partition}"
  arns = {
    state_machine = "${local.aws}:states:${local.regional}:stateMachine:${local.name}"
    jobs          = "${local.aws}:iam::${var.environment.account_id}:role/${local.name}-jobs"
    bus           = "${local.aws}:events:${local.regional}:event-bus/${var.environment.bus_name}"
  }

  # Types with local NVMe storage encrypt it by themselves and refuse a key.
  nvme = "^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|g5|g6e?|p5e?n?|p6[a-z0-9-]*|trn[0-9]+n?)\\."
  instances = merge(
    { InstanceType = var.instance.type, InstanceCount = 1 },
    var.instance.volume_gb == null ? {} : { VolumeSizeInGB = var.instance.volume_gb },
    can(regex(local.nvme, var.instance.type)) ? {} : { VolumeKmsKeyId = var.environment.kms_key_arn },
  )

  # JSON is valid JSONata.
  placeholders = merge(var.placeholders, {
    prefix           = local.prefix
    data_bucket      = var.environment.buckets.data
    artifacts_bucket = var.environment.buckets.artifacts
    bus_name         = var.environment.bus_name
    kms_key_arn      = var.environment.kms_key_arn
    jobs_role_arn    = local.arns.jobs
    instances        = "{% ${jsonencode(local.instances)} %}"
    tags             = "{% ${jsonencode([for key, value in var.environment.tags : { Key = key, Value = value }])} %}"
  })

  # A placeholder is inside a JSON string, so quotes in its value are escaped.
  escaped = { for key, value in local.placeholders : key => substr(jsonencode(value), 1, length(jsonencode(value)) - 2) }
  machine = jsondecode(templatefile(var.definition_path, local.escaped))

  # A call is retried after a transient error, a job only if SageMaker did not accept it: a job that
  # failed after hours would fail again.
  retries = jsondecode(file("${dirname(var.definition_path)}/retries.json"))
  jobs    = "arn:aws:states:::sagemaker:create"

  states = merge(
    local.machine.States,
    {
      for name, state in local.machine.States :
      name => merge({ Retry = local.retries[startswith(state.Resource, local.jobs) ? "job" : "call"] }, state) if state.Type == "Task"
    },
    {
      for name, state in local.machine.States : name => merge(state, {
        ItemProcessor = merge(state.ItemProcessor, {
          States = merge(state.ItemProcessor.States, {
            for inner, task in state.ItemProcessor.States :
            inner => merge({ Retry = local.retries[startswith(task.Resource, local.jobs) ? "job" : "call"] }, task) if task.Type == "Task"
          })
        })
      }) if can(state.ItemProcessor)
    },
  )
}

resource "aws_cloudwatch_log_group" "this" {
  # Step Functions adds to one account-wide resource policy for any other prefix.
  name              = "/aws/vendedlogs/states/${local.name}"
  retention_in_days = var.environment.log_retention_days
  kms_key_id        = var.environment.kms_key_arn
}

resource "aws_sfn_state_machine" "this" {
  name       = local.name
  type       = "STANDARD"
  role_arn   = aws_iam_role.this["machine"].arn
  definition = jsonencode(merge(local.machine, { States = local.states }))

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  # The role's policy must exist: AWS checks at creation that the role may deliver logs.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_scheduler_schedule" "this" {
  for_each = toset(var.schedule == null ? [] : ["this"])

  name                         = local.name
  description                  = var.schedule.description
  schedule_expression          = var.schedule.expression
  schedule_expression_timezone = var.schedule.timezone
  kms_key_arn                  = var.environment.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = aws_iam_role.this["starter"].arn
    input    = var.schedule.input

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }
}
