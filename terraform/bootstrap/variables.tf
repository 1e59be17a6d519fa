variable "project" {
  description = "Project name, the first part of the bucket's name."
  type        = string
  default     = "scones"
  nullable    = false
}

variable "environment" {
  description = "Environment whose state the bucket will hold."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the bucket."
  type        = string
  default     = "us-east-1"
  nullable    = false
}

variable "account_id" {
  description = "The only account that this may be applied to, part of the bucket's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}
