locals {
  # Stack is the one tag that separates this environment's cost from all other cost of the account.
  tags = merge(var.tags, {
    Project     = var.project
    Environment = var.environment
    Stack       = "${var.project}-${var.environment}"
    ManagedBy   = "terraform"
  })

  names   = module.naming.names
  arns    = module.naming.arns
  release = var.active_release == null ? null : var.releases[var.active_release]

  # One threshold for the function, the outputs and every report: what an operator sets, else
  # what the model was calibrated to, else a cautious value.
  threshold = coalesce(var.confidence_threshold, try(local.release.threshold, null), 0.93)

  # The endpoint that the workflow calls, and those of the additional modes.
  serving_modes = setunion([var.serving.mode], var.serving.additional_modes)
  endpoint      = module.endpoint[var.serving.mode]

  # Its variant has the release's name, so each answer shows which release gave it.
  challenger = var.challenger == null ? null : {
    release = var.challenger.release
    share   = var.challenger.share
    variant = "${module.naming.challenger_prefix}${var.challenger.release}"
  }

  # A release decides by its own threshold, unless an operator sets one for all.
  deployed_challenger = local.challenger == null ? null : {
    release   = local.challenger.release
    share     = local.challenger.share
    variant   = local.challenger.variant
    threshold = coalesce(var.confidence_threshold, try(var.releases[var.challenger.release].threshold, null), local.threshold)
  }

  async_uri = replace(module.storage.capture_uri, "/capture$/", "async")

  # Capture, shadow, autoscaling and office hours belong to the real-time endpoint. Without one, they
  # are passed to the workflow's endpoint, whose validations refuse what it does not support.
  instances_mode = contains(local.serving_modes, "realtime") ? "realtime" : var.serving.mode

  deletes_endpoint = try(var.office_hours.action, "") == "delete" && contains(local.serving_modes, "realtime")

  # A model's probabilities are in the order of its own labels.
  labels = try(local.release.labels, null) == null ? var.labels : local.release.labels

  # Images that one execution sends to the endpoint at once; from ten on, in batches of ten.
  max_instances = coalesce(try(var.autoscaling.max, null), try(local.release.instance_count, null), 1)
  execution_concurrency = coalesce(
    var.limits.execution_concurrency,
    var.serving.mode == "serverless" ? var.serving.serverless.max_concurrency : 20 * local.max_instances
  )
  batch_concurrency = min(10, local.execution_concurrency)

  # Where results go. ARNs and names are computed, so no function depends on a queue.
  records = {
    TABLE             = local.names.assignments
    EVENT_BUS         = local.names.event_bus
    REVIEW_QUEUE      = local.arns.queues["review"]
    DEAD_LETTER_QUEUE = local.arns.queues["dead_letters"]
    DATA_BUCKET       = local.names.buckets["data"]
  }

  # Each timeout is longer than all attempts of all calls that its function makes, and shorter than
  # the TimeoutSeconds of its state.
  functions = {
    serialize_image = {
      description     = "Checks one image in S3 and returns a reference to it"
      memory_mb       = 256
      timeout_seconds = 25
      environment     = local.check_environment
    }
    classify_image = {
      description     = "Sends one image to the endpoint and returns its probabilities"
      memory_mb       = 256
      timeout_seconds = 48
      environment     = local.classify_environment
    }
    filter_inferences = {
      description     = "Decides whether a verdict is accepted or goes to review"
      memory_mb       = 256
      timeout_seconds = 10
      environment     = local.decide_environment
    }
    classify_batch = {
      description     = "Classifies and records the images of a batch of a large run"
      memory_mb       = 1024
      timeout_seconds = 125
      environment = merge(
        local.check_environment, local.classify_environment, local.decide_environment, local.records,
        { CONCURRENCY = tostring(local.batch_concurrency) },
      )
    }
    record_results = {
      description     = "Writes rows and publishes events of results, or closes a large run"
      memory_mb       = 512
      timeout_seconds = 125
      environment     = local.records
    }
    collect_inbox = {
      description     = "Starts an execution for the images put into the inbox"
      memory_mb       = 256
      timeout_seconds = 30
      environment = {
        STATE_MACHINE     = local.arns.state_machine
        DATA_BUCKET       = local.names.buckets["data"]
        DEAD_LETTER_QUEUE = local.arns.queues["inbox_dead_letters"]
      }
    }
  }

  check_environment = {
    MAX_IMAGE_BYTES  = tostring(var.limits.image_bytes)
    MAX_IMAGE_PIXELS = tostring(var.limits.image_pixels)
  }
  classify_environment = {
    # From the endpoint itself, so the functions are updated only after it serves the release.
    ENDPOINT_NAME = local.endpoint.name
    LABELS        = coalesce(local.labels_object, local.labels_text)
  }
  decide_environment = {
    THRESHOLD   = tostring(local.threshold)
    RELEASE     = var.active_release == null ? "" : var.active_release
    ASSIGNMENTS = local.assignments_setting
    # The same object in each release, so a function that is not yet updated finds it.
    NEWEST_ASSIGNMENTS = "s3://${aws_s3_object.newest_assignments.bucket}/${aws_s3_object.newest_assignments.key}"
    # Set with and without a challenger.
    CHALLENGER_THRESHOLD = local.deployed_challenger == null ? "" : tostring(local.deployed_challenger.threshold)
  }
}
