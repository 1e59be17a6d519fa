variable "names" {
  description = "Names from the naming module."
  type = object({
    buckets     = map(string)
    repository  = string
    model_group = string
    key_alias   = string
  })
  nullable = false

  validation {
    condition     = toset(keys(var.names.buckets)) == toset(["data", "artifacts", "capture", "logs"])
    error_message = "names.buckets must name exactly the buckets data, artifacts, capture and logs."
  }
}

variable "account_id" {
  description = "Account that owns the key and the buckets."
  type        = string
  nullable    = false
}

variable "partition" {
  description = "AWS partition, such as aws."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region, part of the log service's principal."
  type        = string
  nullable    = false
}

variable "log_group_arns" {
  description = "ARNs of the log groups that may be encrypted with the key."
  type        = list(string)
  nullable    = false
}

variable "capture_retention_days" {
  description = "Days that captured requests and answers are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.capture_retention_days >= 1
    error_message = "capture_retention_days must be at least 1; to stop capturing set capture_percent to 0."
  }
}

variable "noncurrent_retention_days" {
  description = "Days that a replaced or deleted object version can still be restored."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.noncurrent_retention_days >= 1
    error_message = "noncurrent_retention_days must be at least 1."
  }
}

variable "access_log_retention_days" {
  description = "Days that S3 access logs are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.access_log_retention_days >= 1
    error_message = "access_log_retention_days must be at least 1."
  }
}

variable "images_kept" {
  description = "Number of model images that the repository keeps, the newest."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.images_kept >= 2
    error_message = "images_kept must be at least 2, or a rollback finds no image."
  }
}

variable "key_deletion_window_days" {
  description = "Days in which a scheduled deletion of the key can be cancelled."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.key_deletion_window_days >= 7 && var.key_deletion_window_days <= 30
    error_message = "key_deletion_window_days must be from 7 to 30."
  }
}

variable "force_destroy" {
  description = "Whether destroy may delete buckets and a repository that are not empty."
  type        = bool
  default     = false
  nullable    = false
}

variable "expires_objects" {
  description = "Whether lifecycle rules delete old versions, unfinished uploads and expired captured records."
  type        = bool
  default     = true
  nullable    = false
}
