variable "role_names" {
  description = "Role names by principal: each function's key, workflow, endpoint, training."
  type        = map(string)
  nullable    = false
}

variable "arns" {
  description = "ARNs from the naming module; policies are written from these."
  type = object({
    buckets       = map(string)
    functions     = map(string)
    log_groups    = map(string)
    state_machine = string
    alarms        = string
    endpoint      = string
    repository    = string
  })
  nullable = false
}

variable "account_id" {
  description = "Account whose services may take the roles."
  type        = string
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
  description = "Policy that bounds every role; null for none."
  type        = string
  default     = null
}

variable "model_repository_arns" {
  description = "ARNs of further repositories that releases or training jobs take images from."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.model_repository_arns : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[^*]+$", arn))])
    error_message = "model_repository_arns must be ARNs of ECR repositories, without wildcards."
  }
}
