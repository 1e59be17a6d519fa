variable "names" {
  description = "Names of the rule, of the queue and of its dead-letter queue."
  type = object({
    rule              = string
    queue             = string
    dead_letter_queue = string
  })
  nullable = false
}

variable "arns" {
  description = "ARNs that the rule and the queue will have."
  type = object({
    rule  = string
    queue = string
  })
  nullable = false
}

variable "bucket" {
  description = "Bucket that is watched."
  type        = string
  nullable    = false
}

variable "prefix" {
  description = "Start of the keys that are watched."
  type        = string
  default     = "inbox/"
  nullable    = false
}

variable "function_arn" {
  description = "ARN of the function's alias that takes the queue's messages."
  type        = string
  nullable    = false
}

variable "function_timeout_seconds" {
  description = "Timeout of that function."
  type        = number
  nullable    = false
}

variable "window_seconds" {
  description = "Seconds that messages are collected before the function takes them."
  type        = number
  nullable    = false

  validation {
    condition     = var.window_seconds >= 1 && var.window_seconds <= 300
    error_message = "window_seconds must be from 1 to 300: Lambda gathers more than ten messages only within a window."
  }
}

variable "alarm_topic_arn" {
  description = "Topic of the alarms on messages that started no execution."
  type        = string
  nullable    = false
}
