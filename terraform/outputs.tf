output "environment" {
  description = "Name of the environment."
  value       = var.environment
}

output "region" {
  description = "Region of every resource."
  value       = var.region
}

output "account_id" {
  description = "Account of every resource."
  value       = data.aws_caller_identity.this.account_id
}

output "data_bucket" {
  description = "Bucket of datasets and of images to classify."
  value       = module.storage.bucket_names["data"]
}

output "artifacts_bucket" {
  description = "Bucket of trained models."
  value       = module.storage.bucket_names["artifacts"]
}

output "capture_uri" {
  description = "S3 destination of captured records, without the endpoint's name."
  value       = module.storage.capture_uri
}

output "kms_key_arn" {
  description = "ARN of the environment's key."
  value       = module.storage.kms_key_arn
}

output "training_role_arn" {
  description = "ARN of the role that training jobs run with."
  value       = module.iam.role_arns["training"]
}

output "model_repository_url" {
  description = "URL of the model image's repository, without a tag."
  value       = module.storage.repository_url
}

output "builtin_algorithm_image" {
  description = "Image of SageMaker's built-in image classification in this region."
  value       = data.aws_sagemaker_prebuilt_ecr_image.builtin.registry_path
}

output "model_package_group" {
  description = "Model package group whose versions are the candidates for a release."
  value       = module.storage.model_package_group
}

output "state_machine_arn" {
  description = "ARN of the workflow's state machine."
  value       = module.workflow.arn
}

output "function_names" {
  description = "Function names by bundle name."
  value       = module.functions.names
}

output "assignments_table" {
  description = "Table with a row for each version of an image and each release that decided on it."
  value       = module.results.table
}

output "event_bus" {
  description = "Event bus that VehicleClassified is published on."
  value       = module.results.event_bus
}

output "queue_urls" {
  description = "URLs of the queues: inbox, inbox_dead_letters, review, dead_letters."
  value       = merge(module.inbox.queue_urls, module.results.queue_urls)
}

output "endpoint_name" {
  description = "Name of the endpoint that the workflow calls; empty before the first release."
  value       = local.endpoint.name
}

output "async_uri" {
  description = "Where the asynchronous endpoint writes answers and failures; empty without one."
  value       = contains(local.serving_modes, "async") ? local.async_uri : ""
}

output "shadow_release" {
  description = "Shadow release that is compared with the active one; empty for none."
  value       = var.shadow_release == null ? "" : var.shadow_release
}

output "challenger" {
  description = "Release that answers a share of the requests in the active one's place, with its variant and threshold; null for none."
  value       = local.deployed_challenger
}

output "variant" {
  description = "Variant of the endpoint that serves active_release."
  value       = module.naming.variant
}

output "office_hours" {
  description = "When the endpoint exists, and what happens to it at other times; null for always."
  value       = var.office_hours
}

output "active_release" {
  description = "Release that the endpoint serves; empty before the first."
  value       = var.active_release == null ? "" : var.active_release
}

output "threshold" {
  description = "Lowest confidence that is accepted."
  value       = local.threshold
}

output "labels" {
  description = "Class names in the order of the endpoint's probabilities."
  value       = local.labels
}

output "retraining_state_machine_arn" {
  description = "ARN of the state machine that retrains; empty without one."
  value       = try(module.retraining["this"].state_machine_arn, "")
}

output "drift_reference_since" {
  description = "monitoring.reference_since, the day from which traffic is normal; empty without one."
  value       = try(var.monitoring.reference_since, "")
}

output "daily_report_state_machine_arn" {
  description = "ARN of the state machine that reports a day of traffic; empty without one."
  value       = try(module.daily_report["this"].state_machine_arn, "")
}

output "demand_model_group" {
  description = "Model package group of the demand forecast; empty without one."
  value       = try(module.demand["this"].model_group, "")
}

output "demand_builtin_image" {
  description = "AWS's image of AutoGluon in this region; empty without a demand forecast."
  value       = try(var.demand.enabled, false) ? data.aws_sagemaker_prebuilt_ecr_image.autogluon.registry_path : ""
}

output "demand_state_machine_arn" {
  description = "ARN of the state machine that forecasts demand; empty without one."
  value       = try(module.demand["this"].state_machine_arn, "")
}
