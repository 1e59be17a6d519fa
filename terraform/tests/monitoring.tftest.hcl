mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  names             = { prefix = "scones-dev", topic = "scones-dev-alarms", dashboard = "scones-dev", budget = "scones-dev" }
  cost_tag          = { key = "Stack", value = "scones-dev" }
  topic_arn         = "arn:aws:sns:us-east-1:123456789012:scones-dev-alarms"
  account_id        = "123456789012"
  region            = "us-east-1"
  kms_key_arn       = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  failure_rule      = { name = "scones-dev-failed-executions", arn = "arn:aws:events:us-east-1:123456789012:rule/scones-dev-failed-executions", state_machine_arns = ["arn:aws:states:us-east-1:123456789012:stateMachine:scones-dev-classify"] }
  state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:scones-dev-classify"
  function_names    = { classify_image = "scones-dev-classify-image" }
  endpoint          = { name = "scones-dev-classifier", variants = ["AllTraffic"] }
  metric_namespace  = "scones/dev"
  labels            = ["bicycle", "motorcycle"]
}

run "everything_is_watched" {
  module {
    source = "./modules/monitoring"
  }

  assert {
    condition = toset(output.alarm_names) == toset([
      "scones-dev-workflow-failed", "scones-dev-workflow-timed-out", "scones-dev-workflow-throttled",
      "scones-dev-images-failed", "scones-dev-classify-image-errors", "scones-dev-classify-image-throttles", "scones-dev-low-confidence",
    ])
    error_message = "Workflow, functions and confidence must each have their alarms."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.count) : alarm.treat_missing_data == "notBreaching"])
    error_message = "No traffic is no fault."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "Nobody is mailed unless an address is given."
  }

  assert {
    condition = alltrue(flatten([
      for label in var.labels : [
        for stat in ["p10", "p50", "p90"] : strcontains(output.dashboard_body, "\"${label} ${stat}\"")
      ]
    ]))
    error_message = "The dashboard must show the spread of confidence for each class."
  }
}

run "a_daily_report_is_watched" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    daily_report = { max_capture_gap_percent = 5 }
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.daily)) == toset(["drift", "class-mix", "capture-gap"])
    error_message = "Drift, mix of classes and capture gap must each have their alarm."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.daily) : alarm.treat_missing_data == "ignore" && alarm.period == 86400])
    error_message = "Between two reports the state of an alarm must stay."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.daily["capture-gap"].threshold == 5
    error_message = "The share of requests without a record must reach its alarm."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.report_missing["this"].treat_missing_data == "missing"
    error_message = "A report that stays away must change the alarm's state."
  }

  assert {
    condition = alltrue([
      for metric in ["DriftEffect", "ReviewPercent", "CaptureGapPercent", "Images", "ClassPercent", "ConfidenceMedian"] :
      strcontains(output.dashboard_body, "\"${metric}\"")
    ])
    error_message = "The dashboard must show the daily figures."
  }
}

run "an_address_is_subscribed" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    alarm_email = "ops@example.com"
  }

  assert {
    condition     = aws_sns_topic_subscription.email["ops@example.com"].protocol == "email"
    error_message = "The address must be subscribed by e-mail."
  }
}

run "no_address_is_refused" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    alarm_email = "ops"
  }

  expect_failures = [var.alarm_email]
}
