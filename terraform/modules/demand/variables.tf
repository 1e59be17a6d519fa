variable "environment" {
  description = "The environment: see the module job_state_machine."
  type = object({
    prefix                   = string
    account_id               = string
    region                   = string
    partition                = string
    buckets                  = object({ data = string, artifacts = string })
    repository_arns          = list(string)
    bus_name                 = string
    kms_key_arn              = string
    tags                     = map(string)
    permissions_boundary_arn = optional(string)
    log_retention_days       = number
  })
  nullable = false
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
  description = "When a forecast starts: a schedule expression and its time zone; null for manual starts only."
  type = object({
    expression = string
    timezone   = string
  })
}
