module "demand" {
  source   = "./modules/demand"
  for_each = toset(try(var.demand.enabled, false) ? ["this"] : [])

  environment     = local.jobs_environment
  definition_path = "${path.module}/definitions/demand_forecast.asl.json"
  model           = var.demand.model
  instance_type   = var.demand.instance_type
  schedule        = var.demand.schedule
}
