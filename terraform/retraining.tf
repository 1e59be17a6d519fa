# The environment, as the modules with a job_state_machine take it.
locals {
  jobs_environment = {
    prefix                   = module.naming.prefix
    account_id               = data.aws_caller_identity.this.account_id
    region                   = var.region
    partition                = data.aws_partition.this.partition
    buckets                  = { data = local.names.buckets["data"], artifacts = local.names.buckets["artifacts"] }
    repository_arns          = concat([local.arns.repository], var.model_repository_arns)
    bus_name                 = local.names.event_bus
    kms_key_arn              = module.storage.kms_key_arn
    tags                     = local.tags
    permissions_boundary_arn = var.permissions_boundary_arn
    log_retention_days       = var.retention.log_days
  }
}

# There is nothing to retrain, and nothing to compare with, before the first release.
module "retraining" {
  source   = "./modules/retraining"
  for_each = toset(var.retraining == null || local.release == null ? [] : ["this"])

  environment     = local.jobs_environment
  definition_path = "${path.module}/definitions/retrain.asl.json"
  training_image  = var.retraining.training_image
  instance_type   = var.retraining.instance_type
  hyperparameters = var.retraining.hyperparameters
  quality         = var.retraining.quality
  schedule        = var.retraining.schedule
  model_group     = local.names.model_group
  topic_arn       = module.monitoring.topic_arn

  release = {
    image           = local.release.image
    model_data_url  = local.release.model_data_url
    dataset_version = local.release.dataset_version
    threshold       = local.threshold
  }

  alarms = {
    names          = coalesce(var.retraining.alarms.names, module.monitoring.drift_alarm_names)
    min_new_images = var.retraining.alarms.min_new_images
  }
}
