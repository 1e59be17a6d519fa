# Reports each day of the endpoint's traffic with the code of `inv report`: a schedule starts a state
# machine, which waits for one processing job.

locals {
  aws  = "arn:${var.environment.partition}"
  data = "${local.aws}:s3:::${var.environment.buckets.data}"

  # s3://<bucket>/<prefix>
  capture = split("/", trimprefix(var.settings.capture_uri, "s3://"))
  records = "${local.aws}:s3:::${join("/", local.capture)}/*"
  prefix  = "${join("/", slice(local.capture, 1, length(local.capture)))}/*"

  # An object, because an environment variable of a processing job holds only 256 characters and
  # class names may need more.
  settings_key = "daily-report/settings.json"
}

resource "aws_s3_object" "settings" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = var.environment.buckets.data
  key          = local.settings_key
  content      = jsonencode(merge(var.settings, { data_bucket = var.environment.buckets.data }))
  content_type = "application/json"
}

module "job_state_machine" {
  source = "../job_state_machine"

  environment      = var.environment
  name             = "daily-report"
  definition_path  = var.definition_path
  placeholders     = { image = var.image, settings_key = local.settings_key }
  jobs             = ["Processing"]
  publishes_events = false
  instance         = { type = var.instance_type, volume_gb = 30 }
  statements       = local.statements

  schedule = {
    expression  = var.schedule.expression
    timezone    = var.schedule.timezone
    description = "Reports the day before"
    # Without jsonencode, which would escape the angle brackets. The scheduled time names the day,
    # even if the start is retried after midnight.
    input = "{\"time\": \"<aws.scheduler.scheduled-time>\"}"
  }
}
