variable "names" {
  description = "Names of the topic, dashboard and budget, and the prefix of the alarms' names."
  type = object({
    prefix    = string
    topic     = string
    dashboard = string
    budget    = string
  })
  nullable = false
}

variable "topic_arn" {
  description = "ARN that the topic will have."
  type        = string
  nullable    = false
}

variable "account_id" {
  description = "Account whose alarms may publish."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the dashboard's metrics."
  type        = string
  nullable    = false
}

variable "alarm_email" {
  description = "Address that alarms are mailed to; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null ? true : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be an e-mail address, or null for none."
  }
}

variable "kms_key_arn" {
  description = "Key of the topic."
  type        = string
  nullable    = false
}

variable "state_machine_arn" {
  description = "State machine to watch."
  type        = string
  nullable    = false
}

variable "failure_rule" {
  description = "Name and ARN of the rule that reports failed executions, and the state machines that it covers."
  type = object({
    name               = string
    arn                = string
    state_machine_arns = list(string)
  })
  nullable = false
}

variable "function_names" {
  description = "Functions to watch, by bundle name."
  type        = map(string)
  nullable    = false
}

variable "endpoint" {
  description = "Endpoint to watch and its production variants, the active release's first; it need not exist yet."
  type = object({
    name     = string
    variants = list(string)
  })

  validation {
    condition     = length(var.endpoint.variants) >= 1
    error_message = "endpoint.variants must name at least the active release's variant."
  }
  nullable = false
}

variable "monthly_budget_usd" {
  description = "US dollars a month; at 80 percent spent, or 100 percent forecast, the topic is notified. Null for no budget."
  type        = number
  default     = null

  validation {
    condition     = var.monthly_budget_usd == null ? true : var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be greater than 0, or null for no budget."
  }
}

variable "cost_tag" {
  description = "The tag of all resources of the environment, by which the budget filters."
  type = object({
    key   = string
    value = string
  })
  nullable = false
}

variable "metric_namespace" {
  description = "Namespace of the workflow's own metrics: Confidence by Label, Accepted, Review and Failed."
  type        = string
  nullable    = false
}

variable "labels" {
  description = "Class names, the values of the metric dimension Label."
  type        = list(string)
  nullable    = false
}

variable "review_alarm_percent" {
  description = "Share of images sent to review within an hour that raises an alarm, in percent; drift shows here first."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.review_alarm_percent > 0 && var.review_alarm_percent <= 100
    error_message = "review_alarm_percent must be greater than 0 and at most 100."
  }
}

variable "daily_report" {
  description = "Share of answered requests without a captured record that raises an alarm, in percent; null without a daily report."
  type = object({
    max_capture_gap_percent = number
  })
  default = null
}
