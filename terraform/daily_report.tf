# Without a release nothing is captured, so there is nothing to report.
module "daily_report" {
  source   = "./modules/daily_report"
  for_each = toset(var.monitoring == null || local.release == null ? [] : ["this"])

  environment      = local.jobs_environment
  definition_path  = "${path.module}/definitions/daily_report.asl.json"
  image            = var.monitoring.image
  instance_type    = var.monitoring.instance_type
  schedule         = var.monitoring.schedule
  metric_namespace = module.monitoring.daily_namespace

  settings = {
    environment      = var.environment
    endpoint         = local.names.endpoints[var.serving.mode]
    variant          = module.naming.variant
    capture_uri      = module.storage.capture_uri
    labels           = local.labels
    threshold        = local.threshold
    chosen_threshold = var.confidence_threshold != null
    release          = var.active_release
    model_url        = local.release.model_data_url
    dataset_version  = local.release.dataset_version
    reference_since  = var.monitoring.reference_since
    assignments      = var.assignments
    challenger       = local.deployed_challenger
  }

  endpoint_arns = {
    endpoint      = local.arns.endpoints[var.serving.mode]
    configuration = local.arns.endpoint_configurations[var.serving.mode]
  }
}
