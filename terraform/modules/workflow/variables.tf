variable "name" {
  description = "Name of the state machine."
  type        = string
  nullable    = false
}

variable "definition_path" {
  description = "File of the definition, valid JSON with the placeholders of function_arns."
  type        = string
  nullable    = false
}

variable "function_arns" {
  description = "ARNs to invoke, by bundle name."
  type = object({
    serialize_image   = string
    classify_image    = string
    filter_inferences = string
  })
  nullable = false
}

variable "metric_namespace" {
  description = "CloudWatch namespace that failed images are counted in."
  type        = string
  nullable    = false
}

variable "max_concurrency" {
  description = "Images that one execution works on at once; set on every Map of the definition."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_concurrency >= 1 && var.max_concurrency <= 40 && floor(var.max_concurrency) == var.max_concurrency
    error_message = "max_concurrency must be a whole number from 1 to 40, the most that an inline Map runs at once."
  }
}

variable "alias" {
  description = "Name of the alias that points at the published version."
  type        = string
  nullable    = false
}

variable "role_arn" {
  description = "Role of the state machine."
  type        = string
  nullable    = false
}

variable "log_group" {
  description = "Name of the log group."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the log group."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false
}
