variable "project" {
  description = "Project name, the first part of every name."
  type        = string
  default     = "scones"
  nullable    = false
}

variable "environment" {
  description = "Environment name, the second part of every name."
  type        = string
  nullable    = false
}

variable "region" {
  description = "AWS region of every resource."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as us-east-1."
  }
}

variable "account_id" {
  description = "The only account that this environment may be applied to; null for any."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null ? true : can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account, or null for any."
  }
}

variable "tags" {
  description = "Further tags of every resource, such as Owner or CostCenter."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "releases" {
  description = "Retained releases by id, from environments/<environment>/release.tfvars.json."
  type = map(object({
    image             = string
    model_data_url    = string
    model_sha256      = string
    instance_type     = optional(string, "ml.m5.large")
    instance_count    = optional(number, 1)
    environment       = optional(map(string), {})
    threshold         = optional(number)
    labels            = optional(list(string))
    metrics           = optional(map(number), {})
    dataset_version   = optional(string, "")
    model_package_arn = optional(string, "")
    overruled         = optional(string, "")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for r in values(var.releases) : r.threshold == null ? true : r.threshold > 0 && r.threshold <= 1])
    error_message = "A release's threshold must be greater than 0 and at most 1."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : r.labels == null ? true : length(r.labels) >= 2 && length(distinct(r.labels)) == length(r.labels)])
    error_message = "A release's labels must be at least two different class names, in the model's order."
  }
}

variable "active_release" {
  description = "Release that the endpoint serves; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.active_release == null ? true : contains(keys(var.releases), var.active_release)
    error_message = "active_release must be one of releases (${join(", ", keys(var.releases))}), or null for no endpoint."
  }
}

variable "shadow_release" {
  description = "Release that gets a copy of every request beside the active one and answers nobody; null for none."
  type        = string
  default     = null
}

variable "serving" {
  description = "How releases are served. mode is what the workflow asks, realtime or serverless; also names endpoints beside it: async for bulk requests through S3, or, while mode changes, the old one for one apply. Each mode is an endpoint with a name of its own."
  type = object({
    mode = optional(string, "realtime")
    also = optional(set(string), [])
    serverless = optional(object({
      memory_mb               = optional(number, 4096)
      max_concurrency         = optional(number, 10)
      provisioned_concurrency = optional(number)
    }), {})
    async_concurrency = optional(number, 4)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["realtime", "serverless"], var.serving.mode)
    error_message = "serving.mode must be realtime or serverless, as the workflow waits for answers; for asynchronous requests set serving.also = [\"async\"]."
  }

  validation {
    condition     = length(setsubtract(var.serving.also, ["realtime", "serverless", "async"])) == 0 && !contains(var.serving.also, var.serving.mode)
    error_message = "serving.also may name realtime, serverless and async, without serving.mode itself."
  }
}

variable "autoscaling" {
  description = "Least and most instances of the workflow's endpoint, and its target of requests a minute per instance; min_outside holds outside office_hours. Null keeps each release's own count."
  type = object({
    min                        = number
    max                        = number
    target                     = number
    min_outside                = optional(number, 1)
    scale_in_cooldown_seconds  = optional(number, 300)
    scale_out_cooldown_seconds = optional(number, 60)
  })
  default = null
}

variable "async_autoscaling" {
  description = "The same for the asynchronous endpoint, its target in waiting requests per instance; min = 0 leaves no instance while nothing waits."
  type = object({
    min                        = number
    max                        = number
    target                     = number
    min_outside                = optional(number, 0)
    scale_in_cooldown_seconds  = optional(number, 300)
    scale_out_cooldown_seconds = optional(number, 60)
  })
  default = null
}

variable "office_hours" {
  description = "When the endpoint is there: from and to as HH:MM, days as in a cron expression (a week is SUN-SAT), a time zone. Outside them it is deleted (outside = delete), or scaled in to autoscaling.min_outside (scale-in). Null for always."
  type = object({
    from     = string
    to       = string
    days     = optional(string, "MON-FRI")
    timezone = optional(string, "Etc/UTC")
    outside  = optional(string, "delete")
  })
  default = null
}

variable "monthly_budget_usd" {
  description = "US dollars a month that the environment may cost before the alarms' topic is told; null for no budget."
  type        = number
  default     = null
}

variable "labels" {
  description = "Class names in model order while no release that names its own is active."
  type        = list(string)
  default     = ["bicycle", "motorcycle"]
  nullable    = false

  validation {
    condition     = length(var.labels) >= 2 && length(distinct(var.labels)) == length(var.labels)
    error_message = "labels must be at least two different class names, in the model's order."
  }
}

variable "confidence_threshold" {
  description = "Confidence from which on a verdict is accepted; null for the active release's own."
  type        = number
  default     = null

  validation {
    condition     = var.confidence_threshold == null ? true : var.confidence_threshold > 0 && var.confidence_threshold <= 1
    error_message = "confidence_threshold must be greater than 0 and at most 1, or null for the release's own."
  }
}

variable "lambda_dir" {
  description = "Folder of the Lambda bundles and their manifest.json, from the root module's folder on."
  type        = string
  default     = "../build/lambda"
  nullable    = false

  validation {
    condition     = fileexists("${var.lambda_dir}/manifest.json")
    error_message = "${var.lambda_dir}/manifest.json is missing: build the Lambda bundles first, or set lambda_dir to their folder."
  }
}

variable "function_concurrency" {
  description = "Concurrency reserved for each function; -1 reserves none."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.function_concurrency == -1 || var.function_concurrency >= 1
    error_message = "function_concurrency must be at least 1, or -1 to reserve none; 0 would stop the functions."
  }
}

variable "max_image_bytes" {
  description = "Size of the largest image to classify; the endpoint takes 6291456 bytes at most."
  type        = number
  default     = 6291456
  nullable    = false

  validation {
    condition     = var.max_image_bytes >= 1 && var.max_image_bytes <= 6291456
    error_message = "max_image_bytes must be from 1 to 6291456, the most that an endpoint takes."
  }
}

variable "max_image_pixels" {
  description = "Width times height of the largest image to classify."
  type        = number
  default     = 16000000
  nullable    = false

  validation {
    condition     = var.max_image_pixels >= 1
    error_message = "max_image_pixels must be at least 1."
  }
}

variable "max_concurrency" {
  description = "Images that one execution works on at once, 40 at most."
  type        = number
  default     = 20
  nullable    = false
}

variable "capture_percent" {
  description = "Share of the endpoint's requests to capture, in percent."
  type        = number
  default     = 100
  nullable    = false
}

variable "capture_retention_days" {
  description = "Days that captured requests and answers are kept."
  type        = number
  default     = 90
  nullable    = false
}

variable "rollout_bake_seconds" {
  description = "Seconds that a new release is watched before it has all traffic for good."
  type        = number
  default     = 300
  nullable    = false
}

variable "rollout_termination_seconds" {
  description = "Seconds that the old release's machines stay after the switch."
  type        = number
  default     = 300
  nullable    = false
}

variable "rollout_strategy" {
  description = "How a new release takes the traffic over: canary, all_at_once, or auto: a canary from two instances on."
  type        = string
  default     = "auto"
  nullable    = false
}

variable "rollback_review_percent" {
  description = "Share of verdicts sent to review within a minute, in percent, from which on a rollout is taken back; null for no such guard."
  type        = number
  default     = 60
}

variable "latency_alarm_ms" {
  description = "Model latency, 90th percentile in milliseconds, from which on a rollout is taken back."
  type        = number
  default     = 2000
  nullable    = false
}

variable "review_alarm_percent" {
  description = "Share of images sent to review within an hour from which on an alarm is raised."
  type        = number
  default     = 30
  nullable    = false
}

variable "alarm_email" {
  description = "Address that alarms are mailed to; null for none."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch knows, such as 7, 30, 90 or 365."
  }
}

variable "owns_training_log_group" {
  description = "Whether to declare /aws/sagemaker/TrainingJobs, which all environments of an account and region share; false where another one, or an earlier training job, made it."
  type        = bool
  default     = true
  nullable    = false
}

variable "model_repository_arns" {
  description = "ARNs of ECR repositories, besides the environment's own, that model images come from."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds every role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, or null for none."
  }
}

variable "force_destroy" {
  description = "Whether destroy may delete buckets and the image repository with what they hold."
  type        = bool
  default     = false
  nullable    = false
}

variable "key_deletion_window_days" {
  description = "Days in which a scheduled deletion of the key can be taken back."
  type        = number
  default     = 30
  nullable    = false
}

variable "s3_use_path_style" {
  description = "Whether to address buckets by path; only for an S3 without bucket host names."
  type        = bool
  default     = false
  nullable    = false
}

variable "provider_max_retries" {
  description = "Times that a refused AWS call is tried again."
  type        = number
  default     = 25
  nullable    = false

  validation {
    condition     = var.provider_max_retries >= 0
    error_message = "provider_max_retries must be 0 or more."
  }
}
