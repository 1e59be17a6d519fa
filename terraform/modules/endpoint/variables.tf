variable "name" {
  description = "Name of the endpoint, and prefix of its models' and configurations' names."
  type        = string
  nullable    = false
}

variable "variant" {
  description = "Name of the active release's variant; traffic shifting needs the same in every configuration."
  type        = string
  nullable    = false

  validation {
    condition     = var.variant == "AllTraffic"
    error_message = "variant must stay AllTraffic: SageMaker refuses to shift traffic between configurations whose variants have different names."
  }
}

variable "shadow_variant" {
  description = "Name of the variant that gets a copy of every request."
  type        = string
  default     = "Shadow"
  nullable    = false
}

variable "mode" {
  description = "How releases are served: realtime, serverless or async. A mode belongs to a name, as SageMaker cannot convert an endpoint: give another mode another name."
  type        = string
  default     = "realtime"
  nullable    = false

  validation {
    condition     = contains(["realtime", "serverless", "async"], var.mode)
    error_message = "mode must be realtime, serverless or async."
  }
}

variable "serverless" {
  description = "Size of a serverless endpoint: memory, concurrent requests, and provisioned concurrency, null for none."
  type = object({
    memory_mb               = optional(number, 4096)
    max_concurrency         = optional(number, 10)
    provisioned_concurrency = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1024, 2048, 3072, 4096, 5120, 6144], var.serverless.memory_mb)
    error_message = "memory_mb must be 1024, 2048, 3072, 4096, 5120 or 6144."
  }

  validation {
    condition     = var.serverless.max_concurrency >= 1 && var.serverless.max_concurrency <= 200
    error_message = "max_concurrency must be from 1 to 200."
  }

  validation {
    condition     = var.serverless.provisioned_concurrency == null ? true : var.serverless.provisioned_concurrency >= 1 && var.serverless.provisioned_concurrency <= var.serverless.max_concurrency
    error_message = "provisioned_concurrency must be from 1 to max_concurrency, or null for none."
  }
}

variable "async" {
  description = "Where an asynchronous endpoint writes (below `answers` and `failures`), and the concurrent requests per instance."
  type = object({
    uri         = string
    concurrency = optional(number, 4)
  })
  default = null

  validation {
    condition     = var.mode == "async" ? var.async != null : true
    error_message = "An async endpoint answers into S3: set async = { uri = \"s3://...\" }."
  }

  validation {
    condition     = var.async == null ? true : startswith(var.async.uri, "s3://") && !endswith(var.async.uri, "/") && var.async.concurrency >= 1
    error_message = "async.uri must be an S3 prefix without a slash at its end, and async.concurrency at least 1."
  }
}

variable "releases" {
  description = "Retained releases by id; each keeps its model and configuration, so that a rollback changes only the endpoint."
  type = map(object({
    image          = string
    model_data_url = string
    model_sha256   = string
    instance_type  = optional(string, "ml.m5.large")
    instance_count = optional(number, 1)
    environment    = optional(map(string), {})
  }))
  nullable = false

  validation {
    condition     = alltrue([for id in keys(var.releases) : can(regex("^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$", id))])
    error_message = "A release id must be 1 to 20 lower-case letters, digits and inner hyphens."
  }

  validation {
    condition     = alltrue([for id in keys(var.releases) : length("${var.name}-${id}-00000000") <= 63])
    error_message = "A model's name, <endpoint>-<release>-<hash>, passes SageMaker's 63 characters: shorten the project, the environment or the release id."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : can(regex("^[0-9a-f]{64}$", r.model_sha256))])
    error_message = "model_sha256 must be the 64 hexadecimal digits of the artifact's SHA-256."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : can(regex("(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9._-]*)$", r.image)) && !endswith(r.image, ":latest")])
    error_message = "A release's image must end in a digest or in a tag other than latest, so that it names one image for good."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : can(regex("^ml\\.[a-z0-9-]+\\.[a-z0-9]+$", r.instance_type))])
    error_message = "instance_type must be a SageMaker hosting type such as ml.m5.large."
  }

  validation {
    condition     = alltrue([for r in values(var.releases) : r.instance_count >= 1 && floor(r.instance_count) == r.instance_count])
    error_message = "instance_count must be a whole number of at least 1."
  }
}

variable "active_release" {
  description = "Release that the endpoint serves; null for no endpoint."
  type        = string
  default     = null

  validation {
    condition     = var.active_release == null ? true : contains(keys(var.releases), var.active_release)
    error_message = "active_release must be one of releases, or null for no endpoint."
  }
}

variable "shadow_release" {
  description = "Release that gets a copy of every request; its answers are only recorded. Null for none."
  type        = string
  default     = null

  validation {
    condition     = var.shadow_release == null ? true : contains(keys(var.releases), var.shadow_release) && var.shadow_release != var.active_release
    error_message = "shadow_release must be one of releases and another one than active_release, or null for none."
  }

  validation {
    condition     = var.shadow_release == null ? true : var.mode == "realtime"
    error_message = "Only a real-time endpoint takes a shadow: set shadow_release = null, or mode = \"realtime\"."
  }

  validation {
    condition     = var.shadow_release == null ? true : var.capture_percent > 0
    error_message = "A shadow's answers are seen only in captured records: set capture_percent = 100, or shadow_release = null."
  }
}

variable "challenger" {
  description = "Release that answers a share of the requests in the active one's place, and the name of its variant; null for none."
  type = object({
    release = string
    share   = number
    variant = string
  })
  default = null

  validation {
    condition     = var.challenger == null ? true : contains(keys(var.releases), var.challenger.release) && var.challenger.release != var.active_release
    error_message = "challenger.release must be one of releases and another one than active_release; challenger = null for none."
  }

  validation {
    condition     = var.challenger == null ? true : var.challenger.share > 0 && var.challenger.share < 1
    error_message = "challenger.share must be greater than 0 and less than 1: to give a release all requests, make it the active_release."
  }

  validation {
    condition     = var.challenger == null ? true : var.mode == "realtime"
    error_message = "Only a real-time endpoint takes a challenger: set challenger = null, or mode = \"realtime\"."
  }

  validation {
    condition     = var.challenger == null ? true : var.shadow_release == null
    error_message = "SageMaker takes a shadow only next to a single production variant: set challenger or shadow_release, the other to null."
  }

  validation {
    condition     = var.challenger == null ? true : var.capture_percent > 0
    error_message = "A challenger's answers are judged by captured records: set capture_percent = 100, or challenger = null."
  }
}

variable "autoscaling" {
  description = "Minimum and maximum number of instances, and the target per instance: requests a minute for a real-time endpoint, waiting requests for an asynchronous one. off_hours_min is the minimum outside office hours. Null for each release's own instance count."
  type = object({
    min                        = number
    max                        = number
    target                     = number
    off_hours_min              = optional(number, 1)
    scale_in_cooldown_seconds  = optional(number, 300)
    scale_out_cooldown_seconds = optional(number, 60)
  })
  default = null

  validation {
    condition     = var.autoscaling == null ? true : var.mode != "serverless"
    error_message = "A serverless endpoint has no instances to scale: set autoscaling = null, and serverless.max_concurrency instead."
  }

  validation {
    condition     = var.autoscaling == null ? true : alltrue([for n in [var.autoscaling.min, var.autoscaling.max, var.autoscaling.off_hours_min] : floor(n) == n]) && var.autoscaling.min <= var.autoscaling.max && var.autoscaling.max >= 1
    error_message = "autoscaling.min and autoscaling.max must be whole numbers, min at most max."
  }

  validation {
    condition     = var.autoscaling == null ? true : var.autoscaling.min >= (var.mode == "async" ? 0 : 1) && var.autoscaling.off_hours_min >= (var.mode == "async" ? 0 : 1)
    error_message = "autoscaling.min and off_hours_min must be at least 1: only an async endpoint runs without an instance."
  }

  validation {
    condition     = var.autoscaling == null ? true : var.autoscaling.target > 0
    error_message = "autoscaling.target must be greater than 0."
  }
}

variable "office_hours" {
  description = "When the endpoint exists: from and to as HH:MM, days as in a cron expression (SUN-SAT is the whole week), a time zone. At other times it is deleted, or scaled in to autoscaling.off_hours_min. Null for always."
  type = object({
    from     = string
    to       = string
    days     = optional(string, "MON-FRI")
    timezone = optional(string, "Etc/UTC")
    action   = optional(string, "delete")
  })
  default = null

  validation {
    condition     = var.office_hours == null ? true : alltrue([for edge in [var.office_hours.from, var.office_hours.to] : can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", edge))]) && try(tonumber(replace(var.office_hours.from, ":", "")) < tonumber(replace(var.office_hours.to, ":", "")), false)
    error_message = "office_hours.from and .to must be HH:MM, from before to, such as 07:00 and 19:00."
  }

  validation {
    condition     = var.office_hours == null ? true : can(regex("^(MON|TUE|WED|THU|FRI|SAT|SUN)([-,](MON|TUE|WED|THU|FRI|SAT|SUN))*$", var.office_hours.days))
    error_message = "office_hours.days must be days or ranges of days, such as MON-FRI or MON,WED."
  }

  validation {
    condition     = var.office_hours == null ? true : contains(["delete", "scale-in"], var.office_hours.action)
    error_message = "office_hours.action must be delete or scale-in."
  }

  validation {
    condition     = try(var.office_hours.action, "") == "scale-in" ? var.autoscaling != null : true
    error_message = "To scale in outside office hours, set autoscaling; without it, office_hours.action = \"delete\"."
  }

  validation {
    condition     = try(var.office_hours.action, "") == "delete" ? var.autoscaling == null && var.mode == "realtime" : true
    error_message = "Only a real-time endpoint without autoscaling is deleted outside office hours: with autoscaling set office_hours.action = \"scale-in\"; serverless and async need no office_hours."
  }

  validation {
    condition     = try(var.office_hours.action, "") == "delete" ? var.off_hours != null : true
    error_message = "To delete the endpoint outside office hours, set off_hours: the role, name and partition of its schedules."
  }
}

variable "off_hours" {
  description = "For office_hours with action = delete: the schedules' role, the name of their group and queue, the partition; null otherwise."
  type = object({
    role_arn  = string
    name      = string
    partition = string
  })
  default = null
}

variable "tags" {
  description = "Tags that the provider gives to the endpoint; the schedule that creates it again sets the same."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "role_arn" {
  description = "Execution role of the models; part of their names' hash, so pass the computed ARN."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of volumes, captured records and logs."
  type        = string
  nullable    = false
}

variable "artifacts_prefix" {
  description = "S3 prefix below which the role may read models, with a trailing slash."
  type        = string
  nullable    = false
}

variable "capture_uri" {
  description = "S3 destination of captured requests and answers."
  type        = string
  nullable    = false
}

variable "capture_percent" {
  description = "Share of requests to capture, in percent; 0 captures none."
  type        = number
  nullable    = false

  validation {
    condition     = var.capture_percent >= 0 && var.capture_percent <= 100 && floor(var.capture_percent) == var.capture_percent
    error_message = "capture_percent must be a whole number from 0 to 100."
  }

  validation {
    condition     = var.mode == "serverless" ? var.capture_percent == 0 : true
    error_message = "A serverless endpoint captures nothing: set capture_percent = 0, or mode = \"realtime\"."
  }
}

variable "log_group" {
  description = "Name of the log group that SageMaker writes the containers' output to."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false
}

variable "rollout" {
  description = "bake_seconds: how long new instances are watched before they get all traffic. termination_seconds: how long the old ones stay after that. canary_percent: share of the new instances in a canary. strategy: canary, all_at_once, or auto, which is a canary with two or more instances."
  type = object({
    bake_seconds        = number
    termination_seconds = number
    canary_percent      = optional(number, 50)
    strategy            = optional(string, "auto")
  })
  nullable = false

  validation {
    condition     = var.rollout.bake_seconds >= 0 && var.rollout.bake_seconds <= 3600 && var.rollout.termination_seconds >= 0 && var.rollout.termination_seconds <= 3600
    error_message = "bake_seconds and termination_seconds must be from 0 to 3600."
  }

  validation {
    condition     = var.rollout.canary_percent >= 1 && var.rollout.canary_percent <= 50
    error_message = "canary_percent must be from 1 to 50, the most that SageMaker takes for a canary."
  }

  validation {
    condition     = contains(["auto", "canary", "all_at_once"], var.rollout.strategy)
    error_message = "rollout.strategy must be auto, canary or all_at_once."
  }

  validation {
    condition     = var.rollout.strategy != "canary" || var.active_release == null ? true : var.mode != "serverless" && local.smallest_count >= 2
    error_message = "A canary needs two instances of each variant: set instance_count = 2 in the releases that serve, autoscaling.min = 2, or rollout.strategy = \"auto\"."
  }
}

variable "latency_alarm_ms" {
  description = "Model latency (90th percentile, in milliseconds) that triggers a rollback."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.latency_alarm_ms > 0
    error_message = "latency_alarm_ms must be greater than 0."
  }
}

variable "ignored_alarms" {
  description = "Names of rollback alarms that take no update back."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "review_rollback" {
  description = "Share of verdicts sent to review within a minute, in percent, that triggers a rollback; the number of images that it needs; and the functions' metric namespace. Null for no such alarm."
  type = object({
    percent    = number
    namespace  = string
    min_images = optional(number, 20)
  })
  default = null

  validation {
    condition     = var.review_rollback == null ? true : var.review_rollback.percent > 0 && var.review_rollback.percent <= 100 && var.review_rollback.min_images >= 1
    error_message = "review_rollback.percent must be greater than 0 and at most 100, and min_images at least 1."
  }
}

variable "alarm_topic_arns" {
  description = "Topics that the rollback alarms notify."
  type        = list(string)
  default     = []
  nullable    = false
}
