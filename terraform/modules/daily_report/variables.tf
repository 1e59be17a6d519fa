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
  description = "When the day before is reported: a schedule expression and its time zone. Days are UTC days."
  type = object({
    expression = string
    timezone   = string
  })
  nullable = false
}

variable "settings" {
  description = "What the job reads as settings.json (`DailySettings` of `scones_monitor.daily_report`): the endpoint, its captured records, its active release and its challenger."
  type = object({
    environment      = string
    endpoint         = string
    variant          = string
    capture_uri      = string
    labels           = list(string)
    threshold        = number
    chosen_threshold = bool
    release          = string
    model_url        = string
    dataset_version  = string
    reference_since  = optional(string, "")
    assignments      = optional(map(object({ bay = string, orders = string, max_km = number })), {})
    challenger = optional(object({
      release   = string
      share     = number
      variant   = string
      threshold = number
    }))
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

variable "metric_namespace" {
  description = "Namespace of the metrics that the job writes."
  type        = string
  nullable    = false
}
