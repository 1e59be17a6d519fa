variable "name" {
  description = "Name of the endpoint, the start of its models' and configurations' names."
  type        = string
  nullable    = false
}

variable "variant" {
  description = "Name of the one variant; traffic shifting needs the same in every configuration."
  type        = string
  nullable    = false
}

variable "releases" {
  description = "Retained releases by id; each keeps its model and configuration, so that a rollback changes the endpoint alone."
  type = map(object({
    image          = string
    model_data_url = string
    model_sha256   = string
    instance_type  = optional(string, "ml.m5.large")
    instance_count = optional(number, 1)
    environment    = optional(map(string), {})
  }))
  nullable = false

  validation {
    condition     = alltrue([for id in keys(var.releases) : can(regex("^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$", id))])
    error_message = "A release id must be 1 to 20 lower-case letters, digits and inner hyphens."
  }

  validation {
    condition     = alltrue([for id in keys(var.releases) : length("${var.name}-${id}-00000000") <= 63])
    error_message = "A model's name, <endpoint>-<release>-<hash>, passes SageMaker's 63 characters: shorten the project, the environment or the release id."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : can(regex("^[0-9a-f]{64}$", r.model_sha256))])
    error_message = "model_sha256 must be the 64 hexadecimal digits of the artifact's SHA-256."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : can(regex("(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9._-]*)$", r.image)) && !endswith(r.image, ":latest")])
    error_message = "A release's image must end in a digest or in a tag other than latest, so that it names one image for good."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : can(regex("^ml\\.[a-z0-9-]+\\.[a-z0-9]+$", r.instance_type))])
    error_message = "instance_type must be a SageMaker hosting type such as ml.m5.large."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : r.instance_count >= 1 && floor(r.instance_count) == r.instance_count])
    error_message = "instance_count must be a whole number of at least 1."
  }
}

variable "active_release" {
  description = "Release that the endpoint serves; null for no endpoint."
  type        = string
  default     = null

  validation {
    condition     = var.active_release == null ? true : contains(keys(var.releases), var.active_release)
    error_message = "active_release must be one of releases, or null for no endpoint."
  }
}

variable "role_arn" {
  description = "Execution role of the models; part of their names' hash, so pass the computed ARN."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of volumes, captured records and logs."
  type        = string
  nullable    = false
}

variable "artifacts_prefix" {
  description = "S3 prefix that the role may read models below, with a trailing slash."
  type        = string
  nullable    = false
}

variable "capture_uri" {
  description = "S3 destination of captured requests and answers."
  type        = string
  nullable    = false
}

variable "capture_percent" {
  description = "Share of requests to capture, in percent; 0 captures none."
  type        = number
  nullable    = false

  validation {
    condition     = var.capture_percent >= 0 && var.capture_percent <= 100 && floor(var.capture_percent) == var.capture_percent
    error_message = "capture_percent must be a whole number from 0 to 100."
  }
}

variable "log_group" {
  description = "Name of the log group that SageMaker writes the containers' output to."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false
}

variable "rollout" {
  description = "Seconds: how long new machines are watched before the rest of the traffic follows, and how long the old ones stay; canary_percent is their share with two machines or more."
  type = object({
    bake_seconds        = number
    termination_seconds = number
    canary_percent      = optional(number, 50)
  })
  nullable = false

  validation {
    condition     = var.rollout.bake_seconds >= 0 && var.rollout.bake_seconds <= 3600 && var.rollout.termination_seconds >= 0 && var.rollout.termination_seconds <= 3600
    error_message = "bake_seconds and termination_seconds must be from 0 to 3600."
  }

  validation {
    condition     = var.rollout.canary_percent >= 1 && var.rollout.canary_percent <= 50
    error_message = "canary_percent must be from 1 to 50, the most that SageMaker takes for a canary."
  }
}

variable "latency_alarm_ms" {
  description = "Model latency, 90th percentile in milliseconds, from which on a rollout is taken back."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.latency_alarm_ms > 0
    error_message = "latency_alarm_ms must be greater than 0."
  }
}

variable "alarm_topic_arns" {
  description = "Topics that the guard alarms notify."
  type        = list(string)
  default     = []
  nullable    = false
}
