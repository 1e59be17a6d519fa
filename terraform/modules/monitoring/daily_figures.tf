# The daily report's metrics. Namespace, names and dimensions are those of scones_monitor.last_hour; a
# test holds the two equal.

locals {
  daily_namespace  = "scones/monitoring"
  daily_dimensions = { Endpoint = var.endpoint.name, Period = "1d" }
  daily            = flatten([for name, value in local.daily_dimensions : [name, value]])
  by_label         = { for label in slice(var.labels, 0, min(20, length(var.labels))) : label => concat(local.daily, ["Label", label]) }

  daily_alarms = var.daily_report == null ? {} : {
    drift = {
      description = "Yesterday's images or answers differ from the week before, or from the week before an ongoing drift: read the page below monitoring/, then docs/runbooks/drift.md"
      metric      = "Drift"
      threshold   = 1
    }
    class-mix = {
      description = "Yesterday's class mix differs from the week before: read the page below monitoring/, then docs/runbooks/drift.md"
      metric      = "ClassMixDrift"
      threshold   = 1
    }
    capture-gap = {
      description = "Too many of yesterday's answered requests have no captured record: docs/runbooks/capture-stopped.md"
      metric      = "CaptureGapPercent"
      threshold   = try(var.daily_report.max_capture_gap_percent, 100)
    }
  }

  # Filtered, because the two results of a conditional cannot be tuples of different lengths.
  daily_widgets = [for widget in local.widgets_by_day : widget if var.daily_report != null]

  widgets_by_day = [
    {
      title   = "Drift by day, 1 = yes"
      stat    = "Maximum"
      period  = 86400
      metrics = [for metric in ["Drift", "ClassMixDrift", "DriftEffect"] : concat([local.daily_namespace, metric], local.daily)]
    },
    {
      title   = "Sent to review and not captured, percent of the day"
      stat    = "Maximum"
      period  = 86400
      metrics = [for metric in ["ReviewPercent", "CaptureGapPercent"] : concat([local.daily_namespace, metric], local.daily)]
    },
    {
      title   = "Captured images by day"
      stat    = "Maximum"
      period  = 86400
      metrics = [concat([local.daily_namespace, "Images"], local.daily)]
    },
    {
      title   = "Classes, percent of the day"
      stat    = "Maximum"
      period  = 86400
      metrics = [for label, dimensions in local.by_label : concat([local.daily_namespace, "ClassPercent"], dimensions, [{ label = label }])]
    },
    {
      title   = "Median confidence by class and day"
      stat    = "Maximum"
      period  = 86400
      metrics = [for label, dimensions in local.by_label : concat([local.daily_namespace, "ConfidenceMedian"], dimensions, [{ label = label }])]
    },
  ]
}

# There is one value a day, and none for a day with no or too few images. Missing data keeps the
# alarm's state: nothing shows that a drift has begun or ended.
resource "aws_cloudwatch_metric_alarm" "daily" {
  for_each = local.daily_alarms

  alarm_name          = "${var.names.prefix}-${each.key}"
  alarm_description   = "${each.value.description}."
  namespace           = local.daily_namespace
  metric_name         = each.value.metric
  dimensions          = local.daily_dimensions
  statistic           = "Maximum"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = 86400
  evaluation_periods  = 1
  treat_missing_data  = "ignore"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# Any value is OK, so the alarm has one message: INSUFFICIENT_DATA after two days without a report.
# A new environment starts in that state, which notifies nobody.
resource "aws_cloudwatch_metric_alarm" "report_missing" {
  for_each = toset(var.daily_report == null ? [] : ["this"])

  alarm_name                = "${var.names.prefix}-daily-report-missing"
  alarm_description         = "INSUFFICIENT_DATA means that there was no daily report for two days: see the executions of ${var.names.prefix}-daily-report."
  namespace                 = local.daily_namespace
  metric_name               = "Images"
  dimensions                = local.daily_dimensions
  statistic                 = "Minimum"
  comparison_operator       = "LessThanThreshold"
  threshold                 = 0
  period                    = 86400
  evaluation_periods        = 2
  treat_missing_data        = "missing"
  insufficient_data_actions = [aws_sns_topic.this.arn]
  ok_actions                = [aws_sns_topic.this.arn]
}
