module "naming" {
  source = "./modules/naming"

  project     = var.project
  environment = var.environment
  account_id  = data.aws_caller_identity.this.account_id
  region      = var.region
  partition   = data.aws_partition.this.partition
}

module "storage" {
  source = "./modules/storage"

  names                    = local.names
  account_id               = data.aws_caller_identity.this.account_id
  partition                = data.aws_partition.this.partition
  region                   = var.region
  log_group_arns           = values(local.arns.log_groups)
  capture_retention_days   = var.retention.capture_days
  key_deletion_window_days = var.retention.key_deletion_days
  expires_objects          = var.retention.expires_objects
  force_destroy            = var.force_destroy
}

module "iam" {
  source = "./modules/iam"

  role_names               = local.names.roles
  arns                     = local.arns
  account_id               = data.aws_caller_identity.this.account_id
  alias                    = module.naming.alias
  serving_modes            = local.serving_modes
  deletes_endpoint         = local.deletes_endpoint
  metric_namespace         = module.naming.metric_namespace
  kms_key_arn              = module.storage.kms_key_arn
  model_repository_arns    = concat([local.builtin_repository_arn], local.autogluon_repository_arns, var.model_repository_arns)
  permissions_boundary_arn = var.permissions_boundary_arn
}

module "endpoint" {
  source   = "./modules/endpoint"
  for_each = local.serving_modes

  name               = local.names.endpoints[each.key]
  mode               = each.key
  variant            = module.naming.variant
  releases           = var.releases
  active_release     = var.active_release
  shadow_release     = each.key == local.instances_mode ? var.shadow_release : null
  challenger         = each.key == "realtime" ? local.challenger : null
  serverless         = var.serving.serverless
  async              = { uri = local.async_uri, concurrency = var.serving.async.concurrency }
  autoscaling        = each.key == "async" ? var.serving.async.autoscaling : each.key == local.instances_mode ? var.autoscaling : null
  office_hours       = each.key == local.instances_mode ? var.office_hours : null
  tags               = local.tags
  role_arn           = local.arns.roles["endpoint"]
  kms_key_arn        = module.storage.kms_key_arn
  artifacts_prefix   = "s3://${local.names.buckets["artifacts"]}/model/"
  capture_uri        = module.storage.capture_uri
  capture_percent    = each.key == "serverless" && each.key != local.instances_mode ? 0 : var.capture_percent
  log_group          = local.names.log_groups[each.key]
  log_retention_days = var.retention.log_days
  latency_alarm_ms   = var.rollout.max_latency_ms
  ignored_alarms     = var.ignored_rollback_alarms
  alarm_topic_arns   = [module.monitoring.topic_arn]

  rollout = {
    bake_seconds        = var.rollout.bake_seconds
    termination_seconds = var.rollout.termination_seconds
    strategy            = var.rollout.strategy
  }

  # The workflow counts verdicts only for the endpoint that it calls.
  review_rollback = each.key != var.serving.mode || var.rollout.max_review_percent == 0 ? null : {
    percent   = var.rollout.max_review_percent
    namespace = module.naming.metric_namespace
  }

  off_hours = !local.deletes_endpoint || each.key != "realtime" ? null : {
    role_arn  = module.iam.role_arns["off_hours"]
    name      = local.names.off_hours
    partition = data.aws_partition.this.partition
  }

  # The role's ARN is computed, so that a plan shows names, but the role must exist. A class has its
  # assignment before the endpoint answers it, and a rollout is recorded when it begins.
  depends_on = [module.iam, aws_s3_object.chosen_release, aws_s3_object.newest_assignments]
}

module "functions" {
  source = "./modules/functions"

  lambda_dir         = var.lambda_dir
  alias              = module.naming.alias
  kms_key_arn        = module.storage.kms_key_arn
  log_retention_days = var.retention.log_days

  functions = {
    for key, function in local.functions : key => merge(function, {
      name                 = local.names.functions[key]
      role_arn             = module.iam.role_arns[key]
      log_group            = local.names.log_groups[key]
      reserved_concurrency = var.limits.function_concurrency
      environment          = merge(function.environment, { METRICS_NAMESPACE = module.naming.metric_namespace })
    })
  }
}

module "workflow" {
  source = "./modules/workflow"

  name               = local.names.state_machine
  definition_path    = "${path.module}/definitions/classify.asl.json"
  map_path           = "${path.module}/definitions/distributed_map.asl.json"
  function_arns      = module.functions.alias_arns
  data_bucket        = local.names.buckets["data"]
  max_concurrency    = local.execution_concurrency
  batch_concurrency  = local.batch_concurrency
  batch_images       = var.limits.batch_images
  metric_namespace   = module.naming.metric_namespace
  alias              = module.naming.alias
  role_arn           = module.iam.role_arns["workflow"]
  log_group          = local.names.log_groups["workflow"]
  kms_key_arn        = module.storage.kms_key_arn
  log_retention_days = var.retention.log_days
}

module "results" {
  source = "./modules/results"

  names       = local.names
  kms_key_arn = module.storage.kms_key_arn
  protected   = !var.force_destroy
}

module "inbox" {
  source = "./modules/inbox"

  names = {
    rule              = local.names.rules["inbox"]
    queue             = local.names.queues["inbox"]
    dead_letter_queue = local.names.queues["inbox_dead_letters"]
  }
  arns = {
    rule  = local.arns.rules["inbox"]
    queue = local.arns.queues["inbox"]
  }
  bucket                   = module.storage.bucket_names["data"]
  function_arn             = module.functions.alias_arns["collect_inbox"]
  function_timeout_seconds = local.functions["collect_inbox"].timeout_seconds
  window_seconds           = var.inbox_window_seconds
  alarm_topic_arn          = module.monitoring.topic_arn
}

module "monitoring" {
  source = "./modules/monitoring"

  names             = merge(local.names, { prefix = module.naming.prefix })
  topic_arn         = local.arns.topic
  account_id        = data.aws_caller_identity.this.account_id
  region            = var.region
  alarm_email       = var.alarms.email
  kms_key_arn       = module.storage.kms_key_arn
  state_machine_arn = local.arns.state_machine
  failure_rule = {
    name               = local.names.rules["failed_executions"]
    arn                = local.arns.rules["failed_executions"]
    state_machine_arns = [local.arns.state_machine, local.arns.retraining, local.arns.demand, local.arns.daily_report]
  }
  function_names       = local.names.functions
  metric_namespace     = module.naming.metric_namespace
  labels               = local.labels
  review_alarm_percent = var.alarms.review_percent
  monthly_budget_usd   = var.alarms.monthly_budget_usd
  daily_report         = var.monitoring == null ? null : { max_capture_gap_percent = var.monitoring.max_capture_gap_percent }
  cost_tag             = { key = "Stack", value = local.tags.Stack }

  endpoint = {
    name     = local.names.endpoints[var.serving.mode]
    variants = compact([module.naming.variant, try(local.challenger.variant, "")])
  }
}

# SageMaker writes the logs of all training jobs of an account to this group.
resource "aws_cloudwatch_log_group" "training" {
  for_each = toset(var.owns_training_log_group ? ["this"] : [])

  name              = local.names.log_groups["training"]
  retention_in_days = var.retention.log_days
  kms_key_id        = module.storage.kms_key_arn
}
