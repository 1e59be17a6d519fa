variable "role_names" {
  description = "Role names by principal: each function's key, workflow, endpoint, training, off_hours."
  type        = map(string)
  nullable    = false
}

variable "arns" {
  description = "ARNs from the naming module, for the policies."
  type = object({
    buckets         = map(string)
    functions       = map(string)
    log_groups      = map(string)
    state_machine   = string
    alarms          = string
    endpoints       = map(string)
    repository      = string
    off_hours_group = string
    off_hours_queue = string
    queues          = map(string)
    assignments     = string
    event_bus       = string
    executions      = string

    endpoint_configurations = map(string)
  })
  nullable = false
}

variable "account_id" {
  description = "Account whose services may assume the roles."
  type        = string
  nullable    = false
}

variable "serving_modes" {
  description = "Modes that have an endpoint: realtime, serverless, async."
  type        = set(string)
  nullable    = false
}

variable "metric_namespace" {
  description = "Metric namespace in which the workflow counts failed images."
  type        = string
  nullable    = false
}

variable "deletes_endpoint" {
  description = "Whether schedules delete and create the real-time endpoint, and so need a role."
  type        = bool
  default     = false
  nullable    = false
}

variable "alias" {
  description = "Alias through which the state machine invokes functions."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the environment's key."
  type        = string
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of every role; null for none."
  type        = string
  default     = null
}

variable "model_repository_arns" {
  description = "ARNs of further repositories with images of releases or training jobs."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.model_repository_arns : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[^*]+$", arn))])
    error_message = "model_repository_arns must be ARNs of ECR repositories, without wildcards."
  }
}
