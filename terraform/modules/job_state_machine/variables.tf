variable "environment" {
  description = "The environment: prefix of every name, account, region, partition, names of the buckets data and artifacts, repositories of the images, event bus, key of all data, tags of the jobs, permissions boundary of every role (null for none), and days that logs are kept."
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

variable "name" {
  description = "Second part of the name of every resource and job, after the environment's prefix."
  type        = string
  nullable    = false
}

variable "definition_path" {
  description = "File of the state machine's definition."
  type        = string
  nullable    = false
}

variable "placeholders" {
  description = "Values of the definition's placeholders, in addition to prefix, data_bucket, artifacts_bucket, bus_name, kms_key_arn, jobs_role_arn, instances and tags."
  type        = map(string)
  nullable    = false
}

variable "jobs" {
  description = "Kinds of the jobs that the state machine runs: Processing, Training, Transform."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(setsubtract(var.jobs, ["Processing", "Training", "Transform"])) == 0
    error_message = "jobs may hold Processing, Training and Transform."
  }
}

variable "instance" {
  description = "Instance type of the jobs, and the size of its volume in GB (null for SageMaker's default; a batch transform needs null)."
  type = object({
    type      = string
    volume_gb = optional(number)
  })
  nullable = false
}

variable "statements" {
  description = "Policy statements of the roles machine and jobs, in addition to those that every job needs: the machine's for jobs, events and logs, the jobs' for image, key and logs."
  type = object({
    machine = list(object({
      Sid       = string
      Action    = list(string)
      Resource  = list(string)
      Condition = optional(map(map(list(string))))
    }))
    jobs = list(object({
      Sid       = string
      Action    = list(string)
      Resource  = list(string)
      Condition = optional(map(map(list(string))))
    }))
  })
  nullable = false
}

variable "publishes_events" {
  description = "Whether the state machine publishes to the event bus."
  type        = bool
  default     = true
  nullable    = false
}

variable "schedule" {
  description = "When the schedule starts the state machine, and its input; null for none."
  type = object({
    expression  = string
    timezone    = optional(string, "UTC")
    description = string
    input       = string
  })
}

variable "starters" {
  description = "Services that may start the state machine."
  type        = list(string)
  default     = ["scheduler.amazonaws.com"]
  nullable    = false
}
