variable "prefix" {
  description = "`<project>-<environment>`, the start of every name."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account of every resource."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of every resource."
  type        = string
  nullable    = false
}

variable "partition" {
  description = "AWS partition, such as aws."
  type        = string
  nullable    = false
}

variable "definition_path" {
  description = "File of the state machine's definition."
  type        = string
  nullable    = false
}

variable "model" {
  description = "The approved model: URI of the serving image, and its artifact below `s3://<artifacts>/model/`; null for none."
  type = object({
    image          = string
    model_data_url = string
  })
}

variable "instance_type" {
  description = "Instance type of the batch transforms."
  type        = string
  nullable    = false
}

variable "schedule" {
  description = "When a forecast starts: a schedule expression and its time zone; null for never by itself."
  type = object({
    expression = string
    timezone   = string
  })
}

variable "buckets" {
  description = "Names of the buckets data and artifacts."
  type = object({
    data      = string
    artifacts = string
  })
  nullable = false
}

variable "repository_arns" {
  description = "ARNs of the repositories that the image comes from."
  type        = list(string)
  nullable    = false
}

variable "bus_name" {
  description = "Event bus that forecasts are published on."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key of all data."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of the jobs."
  type        = map(string)
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds every role; null for none."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false
}
