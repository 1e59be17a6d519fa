# Modes, shadow, autoscaling, office hours: the resources of each for the same release.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "scones-dev-classifier"
  variant            = "AllTraffic"
  role_arn           = "arn:aws:iam::123456789012:role/scones-dev-endpoint"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  artifacts_prefix   = "s3://artifacts/model/"
  capture_uri        = "s3://capture/capture"
  capture_percent    = 100
  log_group          = "/aws/sagemaker/Endpoints/scones-dev-classifier"
  log_retention_days = 30
  rollout            = { bake_seconds = 300, termination_seconds = 300 }
  active_release     = "one"
  tags               = { Project = "scones", Environment = "dev" }
  releases = {
    one = {
      image          = "registry/scones-dev-model:1"
      model_data_url = "s3://artifacts/model/job-1/output/model.tar.gz"
      model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      instance_count = 2
    }
    two = {
      image          = "registry/scones-dev-model:2"
      model_data_url = "s3://artifacts/model/job-2/output/model.tar.gz"
      model_sha256   = "2222222222222222222222222222222222222222222222222222222222222222"
    }
  }
}

run "realtime" {
  module {
    source = "./modules/endpoint"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.idle["live"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.idle["live"].period == 86400
    error_message = "Without a request SageMaker sends no number, so no data for a day is what the alarm is about."
  }

  assert {
    condition     = length(aws_appautoscaling_target.this) + length(aws_scheduler_schedule.this) + length(aws_sqs_queue.off_hours) == 0
    error_message = "Nothing scales or stops an endpoint without a setting that says so."
  }
}

run "a_shadow_sees_what_the_variant_sees" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    shadow_release = "two"
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one+two/")]).shadow_production_variants[0].initial_variant_weight == one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one+two/")]).production_variants[0].initial_variant_weight
    error_message = "A smaller weight would leave requests out of the comparison."
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one+two/")]).shadow_production_variants[0].model_name == output.model_names["two"] && output.shadow_variant == "Shadow"
    error_message = "The shadow must serve the release that is compared."
  }

  assert {
    condition     = output.configuration_names["one"] == run.realtime.configuration_names["one"] && output.active_configuration_name == output.configuration_names["one+two"]
    error_message = "The end of a comparison, and a rollout that is taken back, need the configuration without the shadow."
  }

  # From version to version of this module.
  assert {
    condition     = output.configuration_names == { one = "scones-dev-classifier-one-30d62c4b", "one+two" = "scones-dev-classifier-one-866ccc5c", two = "scones-dev-classifier-two-d016f59c" }
    error_message = "Another name of the same content replaces a configuration, and starts a rollout."
  }
}

run "a_challenger_answers_its_share" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    challenger = { release = "two", share = 0.25, variant = "Challenger-two" }
  }

  assert {
    condition     = [for v in one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one+two/")]).production_variants : [v.variant_name, v.initial_variant_weight]] == [["AllTraffic", 0.75], ["Challenger-two", 0.25]]
    error_message = "The two must share the requests, and the active release keep its variant's name."
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one+two/")]).production_variants[1].model_name == output.model_names["two"] && length(one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one+two/")]).shadow_production_variants) == 0
    error_message = "The second variant must serve the challenger."
  }

  assert {
    condition     = output.configuration_names["one"] == run.realtime.configuration_names["one"] && output.active_configuration_name == output.configuration_names["one+two"]
    error_message = "The end of a comparison, and a rollout that is taken back, need the configuration without the challenger."
  }

  assert {
    condition     = output.traffic_routing == "ALL_AT_ONCE" && run.realtime.traffic_routing == "CANARY"
    error_message = "Release two has one instance, of which no part can be a canary."
  }

  assert {
    condition     = { for key in ["5xx", "challenger-5xx"] : key => aws_cloudwatch_metric_alarm.rollback[key].dimensions.VariantName } == { "5xx" = "AllTraffic", "challenger-5xx" = "Challenger-two" } && contains(output.rollback_alarm_names, "${var.name}-challenger-latency")
    error_message = "A rollout must be taken back by the faults of either variant."
  }
}

run "another_share" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    challenger = { release = "two", share = 0.5, variant = "Challenger-two" }
  }

  assert {
    condition     = output.active_configuration_name != run.a_challenger_answers_its_share.active_configuration_name
    error_message = "A configuration cannot be changed, so that another share must be another one."
  }
}

run "a_challenger_next_to_what_scales" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    challenger  = { release = "two", share = 0.5, variant = "Challenger-two" }
    autoscaling = { min = 2, max = 6, target = 300 }
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one+two/")]).production_variants[1].initial_instance_count == 3 && [for target in aws_appautoscaling_target.this : target.resource_id] == ["endpoint/${var.name}/variant/AllTraffic"]
    error_message = "A challenger that scaled could not be taken off; it must have room for its share of the most instances."
  }

  assert {
    condition     = output.traffic_routing == "CANARY"
    error_message = "Both variants have two instances or more."
  }
}

run "serverless" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    name            = "scones-dev-serverless"
    mode            = "serverless"
    capture_percent = 0
    serverless      = { memory_mb = 2048, max_concurrency = 5 }
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).production_variants[0].serverless_config[0].memory_size_in_mb == 2048 && one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).production_variants[0].instance_type == null
    error_message = "A serverless variant has memory in place of instances."
  }

  assert {
    condition     = length(one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).data_capture_config) == 0 && one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).kms_key_arn == null && !aws_sagemaker_model.this["one"].enable_network_isolation
    error_message = "A serverless endpoint refuses data capture, a volume's key and network isolation."
  }

  assert {
    condition     = length(aws_sagemaker_endpoint.this["live"].deployment_config) == 0 && length(aws_cloudwatch_metric_alarm.idle) == 0
    error_message = "SageMaker's guardrails know no serverless endpoint, and one that nobody asks costs nothing."
  }
}

run "async_without_an_instance_while_nothing_waits" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    name        = "scones-dev-async"
    mode        = "async"
    async       = { uri = "s3://capture/async" }
    autoscaling = { min = 0, max = 2, target = 5 }
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).async_inference_config[0].output_config[0].s3_failure_path == "s3://capture/async/failures" && length(one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).data_capture_config) == 0
    error_message = "Answers and failures go to S3, so nothing need be captured."
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).production_variants[0].initial_instance_count == 1 && aws_appautoscaling_target.this["live"].min_capacity == 0
    error_message = "It starts with one instance and may scale to none."
  }

  assert {
    condition     = aws_appautoscaling_policy.load["live"].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metric_name == "ApproximateBacklogSizePerInstance" && length(aws_cloudwatch_metric_alarm.wake) == 1
    error_message = "Target tracking never leaves zero instances by itself."
  }
}

run "autoscaling_with_a_scheduled_scale_in" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    autoscaling  = { min = 3, max = 6, target = 300 }
    office_hours = { from = "07:30", to = "19:00", timezone = "Europe/Berlin", action = "scale-in" }
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).production_variants[0].initial_instance_count == 3
    error_message = "An update sets the count of instances, so it must set the least that autoscaling keeps."
  }

  assert {
    condition     = aws_appautoscaling_scheduled_action.office_hours["from"].schedule == "cron(30 7 ? * MON-FRI *)" && aws_appautoscaling_scheduled_action.office_hours["from"].scalable_target_action[0].max_capacity == "6"
    error_message = "The morning must bring the declared bounds back."
  }

  assert {
    condition     = aws_appautoscaling_scheduled_action.office_hours["to"].schedule == "cron(0 19 ? * MON-FRI *)" && aws_appautoscaling_scheduled_action.office_hours["to"].scalable_target_action[0].max_capacity == "1"
    error_message = "The evening must scale in."
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0
    error_message = "What scales in is not deleted."
  }
}

run "deleted_for_the_night" {
  module {
    source = "./modules/endpoint"
  }

  variables {
    office_hours = { from = "07:00", to = "19:00" }
    off_hours    = { role_arn = "arn:aws:iam::123456789012:role/scones-dev-off-hours", name = "scones-dev-off-hours", partition = "aws" }
  }

  assert {
    condition     = aws_scheduler_schedule.this["to"].target[0].arn == "arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint" && jsondecode(aws_scheduler_schedule.this["to"].target[0].input) == { EndpointName = "scones-dev-classifier" }
    error_message = "The evening deletes this endpoint alone."
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.this["from"].target[0].input).EndpointConfigName == output.active_configuration_name
    error_message = "The morning must bring back what was served."
  }

  # What differs would be replaced, or changed, by the next apply.
  assert {
    condition = (
      toset(jsondecode(aws_scheduler_schedule.this["from"].target[0].input).DeploymentConfig.AutoRollbackConfiguration.Alarms[*].AlarmName) == toset(output.rollback_alarm_names)
      && jsondecode(aws_scheduler_schedule.this["from"].target[0].input).DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration == { Type = "CANARY", WaitIntervalInSeconds = 300, CanarySize = { Type = "CAPACITY_PERCENT", Value = 50 } }
      && tomap({ for tag in jsondecode(aws_scheduler_schedule.this["from"].target[0].input).Tags : tag.Key => tag.Value }) == var.tags
    )
    error_message = "The morning's endpoint must have the rollout, the alarms and the tags that Terraform gave it."
  }

  assert {
    condition     = alltrue([for schedule in values(aws_scheduler_schedule.this) : length(schedule.target[0].dead_letter_config) == 1 && schedule.kms_key_arn == var.kms_key_arn])
    error_message = "A schedule that fails must say so, and its input is encrypted."
  }
}

run "a_rollback_by_confidence" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    review_rollback = { percent = 60, namespace = "scones/dev" }
  }

  assert {
    condition     = toset([for a in aws_sagemaker_endpoint.this["live"].deployment_config[0].auto_rollback_configuration[0].alarms : a.alarm_name]) == toset(["${var.name}-5xx", "${var.name}-latency", "${var.name}-low-confidence"])
    error_message = "A model that is unsure of too much must be taken back too."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.low_confidence["this"].threshold == 60 && one([for q in aws_cloudwatch_metric_alarm.low_confidence["this"].metric_query : q.id if q.return_data == true]) == "share"
    error_message = "The share of verdicts that go to review is what is compared."
  }
}
