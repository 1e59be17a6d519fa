# Computed from the names, so that a plan shows complete policies before anything exists.
locals {
  arns = {
    buckets = { for key, name in local.buckets : key => "arn:${var.partition}:s3:::${name}" }
    functions = {
      for key, name in local.function_names : key => "arn:${var.partition}:lambda:${local.regional}:function:${name}"
    }
    roles = { for key, name in local.role_names : key => "arn:${var.partition}:iam::${var.account_id}:role/${name}" }
    log_groups = {
      for key, name in local.log_groups : key => "arn:${var.partition}:logs:${local.regional}:log-group:${name}"
    }
    state_machine = "arn:${var.partition}:states:${local.regional}:stateMachine:${local.state_machine}"
    endpoints = {
      for mode, name in local.endpoints : mode => "arn:${var.partition}:sagemaker:${local.regional}:endpoint/${name}"
    }
    endpoint_configurations = {
      for mode, name in local.endpoints : mode => "arn:${var.partition}:sagemaker:${local.regional}:endpoint-config/${name}-*"
    }
    repository      = "arn:${var.partition}:ecr:${local.regional}:repository/${local.repository}"
    alarms          = "arn:${var.partition}:cloudwatch:${local.regional}:alarm:${local.prefix}-"
    topic           = "arn:${var.partition}:sns:${local.regional}:${local.prefix}-alarms"
    off_hours_group = "arn:${var.partition}:scheduler:${local.regional}:schedule-group/${local.prefix}-off-hours"
    off_hours_queue = "arn:${var.partition}:sqs:${local.regional}:${local.prefix}-off-hours"
    queues          = { for key, name in local.queues : key => "arn:${var.partition}:sqs:${local.regional}:${name}" }
    rules           = { for key, name in local.rules : key => "arn:${var.partition}:events:${local.regional}:rule/${name}" }
    assignments     = "arn:${var.partition}:dynamodb:${local.regional}:table/${local.prefix}-assignments"
    event_bus       = "arn:${var.partition}:events:${local.regional}:event-bus/${local.prefix}"
    retraining      = "arn:${var.partition}:states:${local.regional}:stateMachine:${local.prefix}-retrain"
    demand          = "arn:${var.partition}:states:${local.regional}:stateMachine:${local.prefix}-demand"
    daily_report    = "arn:${var.partition}:states:${local.regional}:stateMachine:${local.prefix}-daily-report"
    executions      = "arn:${var.partition}:states:${local.regional}:execution:${local.state_machine}"
  }
}
