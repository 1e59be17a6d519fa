# Without a release nothing is captured, and there is nothing to report.
module "daily_report" {
  source   = "./modules/daily_report"
  for_each = toset(var.monitoring == null || local.release == null ? [] : ["this"])

  prefix                   = module.naming.prefix
  account_id               = data.aws_caller_identity.this.account_id
  region                   = var.region
  partition                = data.aws_partition.this.partition
  definition_path          = "${path.module}/definitions/daily_report.asl.json"
  image                    = var.monitoring.image
  instance_type            = var.monitoring.instance_type
  schedule                 = var.monitoring.schedule
  data_bucket              = module.storage.bucket_names["data"]
  metric_namespace         = module.monitoring.daily_namespace
  repository_arns          = concat([local.arns.repository], var.model_repository_arns)
  kms_key_arn              = module.storage.kms_key_arn
  tags                     = local.tags
  permissions_boundary_arn = var.permissions_boundary_arn
  log_retention_days       = var.retention.log_days

  settings = {
    environment      = var.environment
    endpoint         = local.names.endpoints[var.serving.mode]
    variant          = module.naming.variant
    capture_uri      = module.storage.capture_uri
    labels           = local.labels
    threshold        = local.threshold
    chosen_threshold = var.confidence_threshold != null
    release          = var.active_release
    releases         = keys(var.releases)
    model_url        = local.release.model_data_url
    dataset_version  = local.release.dataset_version
  }

  endpoint_arns = {
    endpoint      = local.arns.endpoints[var.serving.mode]
    configuration = local.arns.endpoint_configurations[var.serving.mode]
  }
}
