variable "names" {
  description = "Names of the table, of the event bus, and of the queues by purpose."
  type = object({
    assignments = string
    event_bus   = string
    queues      = map(string)
  })
  nullable = false
}

variable "kms_key_arn" {
  description = "Key of the table."
  type        = string
  nullable    = false
}

variable "protected" {
  description = "Whether the table has deletion protection."
  type        = bool
  nullable    = false
}
