module "demand" {
  source   = "./modules/demand"
  for_each = toset(try(var.demand.enabled, false) ? ["this"] : [])

  prefix                   = module.naming.prefix
  account_id               = data.aws_caller_identity.this.account_id
  region                   = var.region
  partition                = data.aws_partition.this.partition
  definition_path          = "${path.module}/definitions/demand_forecast.asl.json"
  model                    = var.demand.model
  instance_type            = var.demand.instance_type
  schedule                 = var.demand.schedule
  buckets                  = { data = local.names.buckets["data"], artifacts = local.names.buckets["artifacts"] }
  repository_arns          = concat([local.arns.repository], var.model_repository_arns)
  bus_name                 = local.names.event_bus
  kms_key_arn              = module.storage.kms_key_arn
  tags                     = local.tags
  permissions_boundary_arn = var.permissions_boundary_arn
  log_retention_days       = var.retention.log_days
}
