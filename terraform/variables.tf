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
  description = "Additional tags of every resource, such as Owner or CostCenter."
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
    gate_override     = optional(string, "")
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
  description = "Release that gets a copy of every request; its answers are only recorded. Null for none."
  type        = string
  default     = null
}

variable "challenger" {
  description = "Release that answers a share (0 to 1) of the requests in the active one's place, to compare them; null for none. `inv challenger` writes it into release.tfvars.json."
  type = object({
    release = string
    share   = number
  })
  default = null

  validation {
    condition     = var.challenger == null ? true : var.serving.mode == "realtime"
    error_message = "Only a real-time endpoint that the workflow calls takes a challenger: set challenger = null, or serving.mode = \"realtime\"."
  }

  validation {
    condition     = var.challenger == null ? true : var.active_release != null
    error_message = "A challenger answers next to an active release: set active_release, or challenger = null."
  }

  validation {
    # The functions and the report know one order of classes.
    condition     = var.challenger == null || !contains(keys(var.releases), try(var.challenger.release, "")) ? true : jsonencode(var.releases[var.challenger.release].labels == null ? var.labels : var.releases[var.challenger.release].labels) == jsonencode(local.labels)
    error_message = "challenger.release and active_release must have the same labels in the same order."
  }
}

variable "serving" {
  description = "How releases are served. mode: the endpoint that the workflow calls, realtime or serverless. additional_modes: further endpoints, such as async for bulk requests through S3, or the old mode while the mode changes. Each mode is an endpoint with its own name. The target of async.autoscaling is waiting requests per instance; min = 0 scales to zero while nothing waits."
  type = object({
    mode             = optional(string, "realtime")
    additional_modes = optional(set(string), [])
    serverless = optional(object({
      memory_mb               = optional(number, 4096)
      max_concurrency         = optional(number, 10)
      provisioned_concurrency = optional(number)
    }), {})
    async = optional(object({
      concurrency = optional(number, 4)
      autoscaling = optional(object({
        min                        = number
        max                        = number
        target                     = number
        off_hours_min              = optional(number, 0)
        scale_in_cooldown_seconds  = optional(number, 300)
        scale_out_cooldown_seconds = optional(number, 60)
      }))
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["realtime", "serverless"], var.serving.mode)
    error_message = "serving.mode must be realtime or serverless, as the workflow waits for answers; for asynchronous requests set serving.additional_modes = [\"async\"]."
  }

  validation {
    condition     = length(setsubtract(var.serving.additional_modes, ["realtime", "serverless", "async"])) == 0 && !contains(var.serving.additional_modes, var.serving.mode)
    error_message = "serving.additional_modes may name realtime, serverless and async, without serving.mode itself."
  }
}

variable "autoscaling" {
  description = "Minimum and maximum number of instances of the workflow's endpoint, and its target of requests a minute per instance. off_hours_min is the minimum outside office_hours. Null for each release's own instance count."
  type = object({
    min                        = number
    max                        = number
    target                     = number
    off_hours_min              = optional(number, 1)
    scale_in_cooldown_seconds  = optional(number, 300)
    scale_out_cooldown_seconds = optional(number, 60)
  })
  default = null
}

variable "office_hours" {
  description = "When the endpoint exists: from and to as HH:MM, days as in a cron expression (SUN-SAT is the whole week), a time zone. At other times it is deleted (action = delete) or scaled in to autoscaling.off_hours_min (scale-in). Null for always."
  type = object({
    from     = string
    to       = string
    days     = optional(string, "MON-FRI")
    timezone = optional(string, "Etc/UTC")
    action   = optional(string, "delete")
  })
  default = null
}

variable "alarms" {
  description = "email: address that alarms are sent to, null for none. review_percent: share of images sent to review within an hour that raises an alarm. monthly_budget_usd: monthly cost that raises one, null for no budget."
  type = object({
    email              = optional(string)
    review_percent     = optional(number, 30)
    monthly_budget_usd = optional(number)
  })
  default  = {}
  nullable = false
}

variable "labels" {
  description = "Class names in model order, used while the active release, if any, has no labels of its own."
  type        = list(string)
  default     = ["bicycle", "motorcycle"]
  nullable    = false

  validation {
    condition     = length(var.labels) >= 2 && length(distinct(var.labels)) == length(var.labels)
    error_message = "labels must be at least two different class names, in the model's order."
  }
}

variable "assignments" {
  description = "Assignment of each class, by class name: loading bay, orders near or far, and their largest distance in kilometres. `inv release` writes it from scones.toml. Empty if images are only classified; otherwise each class of the active release needs one."
  type = map(object({
    bay    = string
    orders = string
    max_km = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for a in values(var.assignments) : trimspace(a.bay) != "" && contains(["near", "far"], a.orders) && a.max_km > 0])
    error_message = "An assignment has a bay, orders that are near or far, and a max_km greater than 0."
  }

  validation {
    condition     = length(var.assignments) == 0 || length(setsubtract(local.labels, keys(var.assignments))) == 0
    error_message = "assignments lack the class ${join(", ", setsubtract(local.labels, keys(var.assignments)))} of the active release: write [assignment.<class>] into scones.toml and release again."
  }
}

variable "inbox_window_seconds" {
  description = "Seconds that images below inbox/ are collected before one execution takes them."
  type        = number
  default     = 10
  nullable    = false
}

variable "confidence_threshold" {
  description = "Lowest confidence that is accepted; null for the threshold of the release."
  type        = number
  default     = null

  validation {
    condition     = var.confidence_threshold == null ? true : var.confidence_threshold > 0 && var.confidence_threshold <= 1
    error_message = "confidence_threshold must be greater than 0 and at most 1, or null for the release's own."
  }
}

variable "lambda_dir" {
  description = "Folder of the Lambda bundles and their manifest.json, relative to the root module."
  type        = string
  default     = "../build/lambda"
  nullable    = false

  validation {
    condition     = fileexists("${var.lambda_dir}/manifest.json")
    error_message = "${var.lambda_dir}/manifest.json is missing: build the Lambda bundles first, or set lambda_dir to their folder."
  }
}

variable "limits" {
  description = "function_concurrency: reserved concurrency of each function, -1 for none. execution_concurrency: images that one execution sends to the endpoint at once, null for 20 for each instance that the endpoint may have (a serverless one: max_concurrency). batch_images: maximum number of images in one function call of a large run. image_bytes, image_pixels (width times height): size of the largest image that is classified."
  type = object({
    function_concurrency  = optional(number, -1)
    execution_concurrency = optional(number)
    batch_images          = optional(number, 200)
    image_bytes           = optional(number, 6291456)
    image_pixels          = optional(number, 16000000)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.limits.function_concurrency == -1 || var.limits.function_concurrency >= 1
    error_message = "limits.function_concurrency must be at least 1, or -1 to reserve none; 0 would stop the functions."
  }

  validation {
    condition     = var.limits.execution_concurrency == null ? true : var.limits.execution_concurrency >= 1 && floor(var.limits.execution_concurrency) == var.limits.execution_concurrency
    error_message = "limits.execution_concurrency must be a whole number of at least 1, or null to size it to the endpoint."
  }

  validation {
    condition     = var.limits.batch_images >= 1 && floor(var.limits.batch_images) == var.limits.batch_images
    error_message = "limits.batch_images must be a whole number of at least 1."
  }

  validation {
    condition     = var.limits.image_bytes >= 1 && var.limits.image_bytes <= 6291456
    error_message = "limits.image_bytes must be from 1 to 6291456, the most that an endpoint takes."
  }

  validation {
    condition     = var.limits.image_pixels >= 1
    error_message = "limits.image_pixels must be at least 1."
  }
}

variable "capture_percent" {
  description = "Share of the endpoint's requests to capture, in percent."
  type        = number
  default     = 100
  nullable    = false
}

variable "retention" {
  description = "Days that logs are kept, that captured requests and answers are kept, and that a scheduled deletion of the key can be cancelled. expires_objects = false leaves out the buckets' lifecycle rules, for an environment that is removed soon."
  type = object({
    log_days          = optional(number, 365)
    capture_days      = optional(number, 90)
    key_deletion_days = optional(number, 30)
    expires_objects   = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.retention.log_days)
    error_message = "retention.log_days must be a period that CloudWatch knows, such as 7, 30, 90 or 365."
  }
}

variable "rollout" {
  description = "How a new release replaces the active one. strategy: canary, all_at_once, or auto, which is a canary with two or more instances. bake_seconds: how long it is watched before it gets all traffic. termination_seconds: how long the old instances stay after that. It is rolled back if the model's latency (90th percentile) reaches max_latency_ms, or if max_review_percent of the verdicts within a minute go to review; 0 turns this second rule off."
  type = object({
    strategy            = optional(string, "auto")
    bake_seconds        = optional(number, 300)
    termination_seconds = optional(number, 300)
    max_latency_ms      = optional(number, 2000)
    max_review_percent  = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.rollout.max_review_percent >= 0 && var.rollout.max_review_percent <= 100
    error_message = "rollout.max_review_percent must be from 0, for no such rule, to 100."
  }
}

variable "ignored_rollback_alarms" {
  description = "Names of rollback alarms that take no update of an endpoint back. `inv apply --ignore-raised-alarms` sets it for one apply; not for env.tfvars."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "owns_training_log_group" {
  description = "Whether to declare /aws/sagemaker/TrainingJobs, which all environments of an account and region share; false if another one, or an earlier training job, created it."
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
  description = "ARN of the permissions boundary of every role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, or null for none."
  }
}

variable "force_destroy" {
  description = "Whether destroy may delete the buckets and the image repository with their contents."
  type        = bool
  default     = false
  nullable    = false
}

variable "aws_api" {
  description = "How Terraform calls AWS. s3_path_style: addresses buckets by path, for an S3 without bucket host names. max_retries: how often a failed call is retried."
  type = object({
    s3_path_style = optional(bool, false)
    max_retries   = optional(number, 25)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.aws_api.max_retries >= 0
    error_message = "aws_api.max_retries must be 0 or more."
  }
}

variable "retraining" {
  description = "Retraining of the active model with the reviewers' answers, which only proposes a release; null for none. training_image: URI of the training image. hyperparameters, quality: replace defaults of the recipe and of the quality gate. schedule and alarms start a run, which ends early if fewer than min_new_images were labelled since the last one. alarms.names: null for the alarms on low confidence and drift."
  type = object({
    training_image  = string
    instance_type   = optional(string, "ml.m5.xlarge")
    hyperparameters = optional(map(string), {})
    quality         = optional(map(number), {})
    schedule = optional(object({
      expression     = string
      min_new_images = optional(number, 50)
    }))
    alarms = optional(object({
      names          = optional(list(string))
      min_new_images = optional(number, 20)
    }), {})
  })
  default = null

  validation {
    condition     = var.retraining == null ? true : length(setsubtract(keys(var.retraining.quality), ["min_accuracy", "max_calibration_error", "min_coverage", "significance"])) == 0
    error_message = "retraining.quality may hold min_accuracy, max_calibration_error, min_coverage and significance."
  }
}

variable "demand" {
  description = "Demand forecast; null, or enabled = false, for none. model: the approved model, by the URI of its serving image and its artifact below `s3://<artifacts>/model/`; without it only the model package group is declared. schedule: starts a forecast of the CSV files below `s3://<data>/demand/input/`; null for manual starts only."
  type = object({
    enabled = optional(bool, true)
    model = optional(object({
      image          = string
      model_data_url = string
    }))
    instance_type = optional(string, "ml.m5.large")
    schedule = optional(object({
      expression = string
      timezone   = optional(string, "Etc/UTC")
    }))
  })
  default = null
}

variable "monitoring" {
  description = "Daily report of the endpoint's captured traffic; null for none. image: URI of the image `monitoring`. The job runs at schedule and reports the UTC day before, as a page below `s3://<data>/monitoring/` and as metrics. Alarms are raised for drift, for a changed class mix, and if max_capture_gap_percent of the answered requests have no record. reference_since: day, such as 2026-11-20, from which the new traffic is normal; set it if the drift that an alarm shows is permanent."
  type = object({
    image                   = string
    instance_type           = optional(string, "ml.t3.medium")
    max_capture_gap_percent = optional(number, 10)
    reference_since         = optional(string, "")
    schedule = optional(object({
      expression = string
      timezone   = optional(string, "Etc/UTC")
    }), { expression = "cron(30 0 * * ? *)" })
  })
  default = null

  validation {
    condition     = var.monitoring == null ? true : var.serving.mode == "realtime" && var.capture_percent > 0
    error_message = "monitoring needs captured requests: set serving.mode = \"realtime\" and capture_percent above 0."
  }

  validation {
    condition     = var.monitoring == null ? true : var.monitoring.max_capture_gap_percent > 0 && var.monitoring.max_capture_gap_percent <= 100
    error_message = "monitoring.max_capture_gap_percent must be greater than 0 and at most 100."
  }

  validation {
    condition     = try(var.monitoring.reference_since, "") == "" ? true : can(formatdate("YYYY", "${var.monitoring.reference_since}T00:00:00Z"))
    error_message = "monitoring.reference_since must be a day, such as 2026-11-20."
  }
}
