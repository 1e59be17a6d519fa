variable "environment" {
  description = "The environment: see the module job_state_machine."
  type = object({
    prefix                   = string
    account_id               = string
    region                   = string
    partition                = string
    buckets                  = object({ data = string, artifacts = string })
    repository_arns          = list(string)
    bus_name                 = string
    kms_key_arn              = string
    tags                     = map(string)
    permissions_boundary_arn = optional(string)
    log_retention_days       = number
  })
  nullable = false
}

variable "definition_path" {
  description = "File of the state machine's definition."
  type        = string
  nullable    = false
}

variable "training_image" {
  description = "URI of the training image."
  type        = string
  nullable    = false
}

variable "instance_type" {
  description = "Instance type of the jobs."
  type        = string
  nullable    = false
}

variable "hyperparameters" {
  description = "Hyperparameters of the training, without classes and dataset version."
  type        = map(string)
  nullable    = false
}

variable "quality" {
  description = "Limits of the quality gate, as in [quality] of scones.toml; absent ones keep their default."
  type        = map(number)
  nullable    = false
}

variable "schedule" {
  description = "Schedule expression, in UTC, and the new images that a scheduled run needs; null for none."
  type = object({
    expression     = string
    min_new_images = number
  })
}

variable "alarms" {
  description = "Names of the alarms that start a run, and the new images that this run needs."
  type = object({
    names          = list(string)
    min_new_images = number
  })
  nullable = false
}

variable "release" {
  description = "The active release: its image, model, dataset version, and threshold."
  type = object({
    image           = string
    model_data_url  = string
    dataset_version = string
    threshold       = number
  })
  nullable = false
}

variable "model_group" {
  description = "Name of the model package group."
  type        = string
  nullable    = false
}

variable "topic_arn" {
  description = "ARN of the topic that notifies people."
  type        = string
  nullable    = false
}
