variable "functions" {
  description = "Functions by bundle name: name, role, log group, size and environment."
  type = map(object({
    name                 = string
    role_arn             = string
    log_group            = string
    description          = string
    memory_mb            = number
    timeout_seconds      = number
    reserved_concurrency = optional(number, -1)
    environment          = map(string)
  }))
  nullable = false

  validation {
    condition     = alltrue([for f in values(var.functions) : f.memory_mb >= 128 && f.memory_mb <= 10240])
    error_message = "memory_mb must be from 128 to 10240."
  }

  validation {
    condition     = alltrue([for f in values(var.functions) : f.timeout_seconds >= 1 && f.timeout_seconds <= 900])
    error_message = "timeout_seconds must be from 1 to 900."
  }
}

variable "lambda_dir" {
  description = "Folder of the bundles and their manifest.json."
  type        = string
  nullable    = false
}

variable "alias" {
  description = "Name of the alias through which the functions are called."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the environment variables and log groups."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false
}
