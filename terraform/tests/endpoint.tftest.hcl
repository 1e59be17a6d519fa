# Releases become models and configurations whose names change with what cannot be changed.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "scones-dev-classifier"
  variant            = "AllTraffic"
  role_arn           = "arn:aws:iam::123456789012:role/scones-dev-endpoint"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  artifacts_prefix   = "s3://scones-dev-artifacts-123456789012/model/"
  capture_uri        = "s3://scones-dev-capture-123456789012/capture"
  capture_percent    = 100
  log_group          = "/aws/sagemaker/Endpoints/scones-dev-classifier"
  log_retention_days = 30
  rollout            = { bake_seconds = 300, termination_seconds = 300 }
  active_release     = "one"
  releases = {
    one = {
      image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
      model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
      model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
    }
  }
}

run "one_release" {
  module {
    source = "./modules/endpoint"
  }

  assert {
    condition     = output.name == var.name
    error_message = "The endpoint's name is constant; functions and roles know it."
  }

  assert {
    condition     = startswith(output.model_names["one"], "${var.name}-one-") && length(output.model_names["one"]) == length("${var.name}-one-") + 8
    error_message = "A model is named <endpoint>-<release>-<8 digits of a hash>."
  }

  assert {
    condition     = output.active_configuration_name == output.configuration_names["one"]
    error_message = "The endpoint must serve the active release."
  }

  assert {
    condition     = output.traffic_routing == "ALL_AT_ONCE"
    error_message = "One machine cannot be shared between two releases."
  }

  assert {
    condition     = toset([for o in one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).data_capture_config[0].capture_options : o.capture_mode]) == toset(["Input", "Output"])
    error_message = "Requests and answers must both be captured."
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).data_capture_config[0].kms_key_id == var.kms_key_arn
    error_message = "Captured records must be encrypted with the environment's key."
  }

  assert {
    condition     = toset(one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).data_capture_config[0].capture_content_type_header[0].json_content_types) == toset(["application/json"])
    error_message = "Without the JSON content type, answers are captured as Base64."
  }

  assert {
    condition     = toset([for a in aws_sagemaker_endpoint.this["live"].deployment_config[0].auto_rollback_configuration[0].alarms : a.alarm_name]) == toset(["${var.name}-5xx", "${var.name}-latency"])
    error_message = "The guard alarms must always be declared: adding them later replaces the endpoint."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.rollback["latency"].threshold == var.latency_alarm_ms * 1000
    error_message = "ModelLatency is in microseconds."
  }

  assert {
    condition     = aws_sagemaker_model.this["one"].enable_network_isolation
    error_message = "The container needs no network."
  }
}

run "another_artifact_another_name" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    releases = {
      one = {
        image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
        model_sha256   = "2222222222222222222222222222222222222222222222222222222222222222"
      }
    }
  }

  assert {
    condition     = output.model_names["one"] != run.one_release.model_names["one"]
    error_message = "Another artifact under the same key must give another model name, or the endpoint never changes."
  }

  assert {
    condition     = output.configuration_names["one"] != run.one_release.configuration_names["one"]
    error_message = "Another model must give another configuration name, the only thing that an endpoint reacts to."
  }
}

run "another_machine_same_model" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    releases = {
      one = {
        image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
        instance_count = 2
        instance_type  = "ml.g4dn.xlarge"
      }
    }
  }

  assert {
    condition     = output.model_names["one"] == run.one_release.model_names["one"] && output.configuration_names["one"] != run.one_release.configuration_names["one"]
    error_message = "Machines belong to the configuration, not to the model."
  }

  assert {
    condition     = output.traffic_routing == "CANARY" && aws_sagemaker_endpoint.this["live"].deployment_config[0].blue_green_update_policy[0].traffic_routing_configuration[0].canary_size[0].value == 50
    error_message = "Two machines or more take a release over by canary."
  }

  assert {
    condition     = one([for key, c in aws_sagemaker_endpoint_configuration.this : c if startswith(key, "one/")]).kms_key_arn == null
    error_message = "SageMaker refuses a volume key for types with local NVMe storage."
  }
}

run "a_second_release_leaves_the_first_alone" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "two"
    releases = {
      one = {
        image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      }
      two = {
        image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:2"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-2/output/model.tar.gz"
        model_sha256   = "2222222222222222222222222222222222222222222222222222222222222222"
      }
    }
  }

  assert {
    condition     = output.configuration_names["one"] == run.one_release.configuration_names["one"]
    error_message = "A retained release must keep its names, so that a rollback is one update."
  }

  assert {
    condition     = output.active_configuration_name == output.configuration_names["two"]
    error_message = "The endpoint must serve the active release."
  }
}

run "no_release_no_endpoint" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    releases       = {}
    active_release = null
  }

  assert {
    condition     = output.name == "" && output.active_configuration_name == ""
    error_message = "Without an active release there is no endpoint."
  }
}

run "another_rollout_of_the_same_release" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    rollout = { bake_seconds = 60, termination_seconds = 60 }
  }

  assert {
    condition     = output.configuration_names["one"] != run.one_release.configuration_names["one"]
    error_message = "SageMaker refuses an update to the configuration that an endpoint has."
  }
}

run "a_raised_alarm_that_takes_nothing_back" {
  module {
    source = "./modules/endpoint"
  }

  variables {
    ignored_alarms = ["${var.name}-5xx"]
  }

  assert {
    condition     = [for a in aws_sagemaker_endpoint.this["live"].deployment_config[0].auto_rollback_configuration[0].alarms : a.alarm_name] == ["${var.name}-latency"]
    error_message = "An update must be possible without an alarm that stays raised."
  }

  assert {
    condition     = output.configuration_names["one"] != run.one_release.configuration_names["one"] && output.active_configuration_name == output.configuration_names["one"]
    error_message = "The endpoint must be updated without the alarm, and once more when it watches again."
  }
}
