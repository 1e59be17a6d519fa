variable "project" {
  description = "Project name, the first part of every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 16 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "environment" {
  description = "Environment name, the second part of every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, starting with a letter."
  }

  # An endpoint's name plus release id and hash must fit SageMaker's 63 characters.
  validation {
    condition     = length("${var.project}-${var.environment}") <= 22
    error_message = "project and environment together are too long for SageMaker's names: shorten one until both have at most 21 characters."
  }
}

variable "account_id" {
  description = "AWS account that the names belong to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}

variable "region" {
  description = "AWS region that the ARNs belong to."
  type        = string
  nullable    = false
}

variable "partition" {
  description = "AWS partition that the ARNs belong to, such as aws or aws-cn."
  type        = string
  nullable    = false
}
