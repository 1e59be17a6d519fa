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

variable "image" {
  description = "URI of the image `monitoring`."
  type        = string
  nullable    = false
}

variable "instance_type" {
  description = "Instance type of the job."
  type        = string
  nullable    = false
}

variable "schedule" {
  description = "When the day before is reported: a schedule expression and its time zone. Days are UTC's."
  type = object({
    expression = string
    timezone   = string
  })
  nullable = false
}

variable "settings" {
  description = "What the job reads as settings.json (`DailySettings` of `scones_monitor.daily`): the endpoint, its captured records, its active release."
  type = object({
    environment      = string
    endpoint         = string
    variant          = string
    capture_uri      = string
    labels           = list(string)
    threshold        = number
    chosen_threshold = bool
    release          = string
    releases         = list(string)
    model_url        = string
    dataset_version  = string
  })
  nullable = false
}

variable "endpoint_arns" {
  description = "ARNs of the endpoint and of its configurations."
  type = object({
    endpoint      = string
    configuration = string
  })
  nullable = false
}

variable "data_bucket" {
  description = "Bucket of the labels, and of the pages, below `monitoring/`."
  type        = string
  nullable    = false
}

variable "metric_namespace" {
  description = "Namespace of the metrics that the job writes."
  type        = string
  nullable    = false
}

variable "repository_arns" {
  description = "ARNs of the repositories that the image comes from."
  type        = list(string)
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
