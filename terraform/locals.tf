locals {
  # Stack is the one tag that separates this environment's cost from everything else in an account.
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

  async_uri = replace(module.storage.capture_uri, "/capture$/", "async")

  # Capture, shadow, autoscaling and office hours are the real-time endpoint's. Where there is
  # none, the workflow's takes them, to refuse what it cannot have.
  instances_mode = contains(local.serving_modes, "realtime") ? "realtime" : var.serving.mode

  deletes_endpoint = try(var.office_hours.action, "") == "delete" && contains(local.serving_modes, "realtime")

  # A model's probabilities are in the order of its own labels.
  labels = try(local.release.labels, null) == null ? var.labels : local.release.labels

  # Each timeout is longer than all tries of all calls that its function makes, and shorter than
  # the TimeoutSeconds of its state.
  functions = {
    serialize_image = {
      description     = "Checks one image in S3 and answers a reference to it"
      memory_mb       = 256
      timeout_seconds = 25
      environment = {
        MAX_IMAGE_BYTES  = tostring(var.limits.image_bytes)
        MAX_IMAGE_PIXELS = tostring(var.limits.image_pixels)
      }
    }
    classify_image = {
      description     = "Sends one image to the endpoint and answers its probabilities"
      memory_mb       = 256
      timeout_seconds = 48
      environment = {
        # Taken from the endpoint itself: functions change over only once it serves the release.
        ENDPOINT_NAME = local.endpoint.name
        LABELS        = coalesce(local.labels_object, local.labels_text)
      }
    }
    filter_inferences = {
      description     = "Decides whether a verdict is accepted or goes to review"
      memory_mb       = 256
      timeout_seconds = 10
      environment = {
        THRESHOLD = tostring(local.threshold)
      }
    }
  }
}
