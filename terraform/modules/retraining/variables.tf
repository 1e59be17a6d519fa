variable "prefix" {
  description = "`<project>-<environment>`, the start of every name."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account of every resource."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of every resource."
  type        = string
  nullable    = false
}

variable "partition" {
  description = "AWS partition, such as aws."
  type        = string
  nullable    = false
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
  description = "Hyperparameters of the training beside classes and dataset version."
  type        = map(string)
  nullable    = false
}

variable "quality" {
  description = "Limits of the gate, as in [quality] of the settings; those absent keep their default."
  type        = map(number)
  nullable    = false
}

variable "schedule" {
  description = "Schedule expression, in UTC, and how many new images a scheduled run needs; null for none."
  type = object({
    expression     = string
    min_new_images = number
  })
}

variable "alarms" {
  description = "Names of the alarms that start a run, and how many new images it needs then."
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

variable "buckets" {
  description = "Names of the buckets data and artifacts."
  type = object({
    data      = string
    artifacts = string
  })
  nullable = false
}

variable "model_group" {
  description = "Name of the model package group."
  type        = string
  nullable    = false
}

variable "repository_arns" {
  description = "ARNs of the repositories that the images come from."
  type        = list(string)
  nullable    = false
}

variable "bus_name" {
  description = "Event bus that proposals are published on."
  type        = string
  nullable    = false
}

variable "topic_arn" {
  description = "ARN of the topic for people."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key of all data."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of the jobs."
  type        = map(string)
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds every role; null for none."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false
}
