variable "project" {
  description = "Project name, the first part of every name."
  type        = string
  default     = "scones"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 16 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "environment" {
  description = "Environment that the bucket and the roles are for."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, starting with a letter."
  }
}

variable "region" {
  description = "Region of the bucket and of the environment."
  type        = string
  default     = "us-east-1"
  nullable    = false
}

variable "account_id" {
  description = "The only account that this may be applied to; part of the bucket's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}

variable "repository" {
  description = "GitHub repository whose workflows may plan and apply, as owner/name; null for no such roles."
  type        = string
  default     = null

  # A wildcard here would hand the roles to other repositories.
  validation {
    condition     = var.repository == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name, without wildcards, or null for no roles."
  }
}

variable "oidc_provider_arn" {
  description = "The account's existing provider for token.actions.githubusercontent.com; null to create it."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null ? true : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/token[.]actions[.]githubusercontent[.]com$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must end in :oidc-provider/token.actions.githubusercontent.com, or be null to create the provider."
  }
}
