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

variable "map_path" {
  description = "File with the fields of every Map that has no ItemProcessor in the definition."
  type        = string
  nullable    = false
}

variable "data_bucket" {
  description = "Bucket that Map Runs write below runs/."
  type        = string
  nullable    = false
}

variable "batch_images" {
  description = "Maximum number of images in a batch."
  type        = number
  nullable    = false
}

variable "batch_concurrency" {
  description = "Images of a batch that are processed at once."
  type        = number
  nullable    = false
}

variable "function_arns" {
  description = "ARNs to invoke, by bundle name."
  type = object({
    serialize_image   = string
    classify_image    = string
    filter_inferences = string
    classify_batch    = string
    record_results    = string
  })
  nullable = false
}

variable "metric_namespace" {
  description = "CloudWatch namespace in which failed images are counted."
  type        = string
  nullable    = false
}

variable "max_concurrency" {
  description = "Images that one execution processes at once: at most 40 in an inline Map; in a Distributed Map, as many batches as batch_concurrency allows."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_concurrency >= 1 && floor(var.max_concurrency) == var.max_concurrency
    error_message = "max_concurrency must be a whole number of at least 1."
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
