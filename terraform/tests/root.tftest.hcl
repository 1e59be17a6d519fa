# The modules wired together: what a release changes, and what it leaves alone.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "dev"
  lambda_dir  = "./tests/fixtures/lambda"
  releases = {
    one = {
      image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
      model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
      model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      threshold      = 0.97
      labels         = ["motorcycle", "bicycle"]
      metrics        = { accuracy = 0.95 }
    }
    two = {
      image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:2"
      model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-2/output/model.tar.gz"
      model_sha256   = "2222222222222222222222222222222222222222222222222222222222222222"
    }
  }
}

run "without_a_release" {
  variables {
    releases = {}
  }

  assert {
    condition     = output.endpoint_name == "" && output.active_release == ""
    error_message = "Before the first release there is no endpoint."
  }

  assert {
    condition     = output.threshold == 0.93 && output.labels == tolist(["bicycle", "motorcycle"])
    error_message = "Before the first release the defaults hold."
  }

  assert {
    condition     = output.data_bucket == "scones-dev-data-123456789012" && output.capture_uri == "s3://scones-dev-capture-123456789012/capture"
    error_message = "Everything but the endpoint is there before the first release."
  }

  assert {
    condition     = output.function_names == { serialize_image = "scones-dev-serialize-image", classify_image = "scones-dev-classify-image", filter_inferences = "scones-dev-filter-inferences", classify_batch = "scones-dev-classify-batch", record_results = "scones-dev-record-results", collect_inbox = "scones-dev-collect-inbox" }
    error_message = "Functions are known by their bundles' names."
  }

  # A function that runs longer than its state is billed, and retried while it still runs.
  assert {
    condition = alltrue([
      for key, state in { serialize_image = "SerializeImage", classify_image = "ClassifyImage", filter_inferences = "FilterInferences" } :
      local.functions[key].timeout_seconds < jsondecode(file("definitions/classify.asl.json")).States.ClassifyImages.ItemProcessor.States[state].TimeoutSeconds
      ]) && alltrue([
      for state in ["RecordResults", "CloseRun"] :
      local.functions["record_results"].timeout_seconds < jsondecode(file("definitions/classify.asl.json")).States[state].TimeoutSeconds
    ]) && local.functions["classify_batch"].timeout_seconds < jsondecode(file("definitions/distributed_map.asl.json")).ItemProcessor.States.ClassifyBatch.TimeoutSeconds
    error_message = "Each function must time out before its state does."
  }
}

run "active_release_brings_endpoint_threshold_and_labels" {
  variables {
    active_release = "one"
  }

  assert {
    condition     = output.endpoint_name == "scones-dev-classifier" && output.active_release == "one"
    error_message = "An active release has an endpoint."
  }

  assert {
    condition     = output.threshold == 0.97
    error_message = "The threshold that the model was calibrated to must reach the functions."
  }

  assert {
    condition     = output.labels == tolist(["motorcycle", "bicycle"])
    error_message = "The probabilities are in the order of the release's own labels."
  }
}

run "a_release_without_threshold_and_labels" {
  command = plan

  variables {
    active_release = "two"
  }

  assert {
    condition     = output.threshold == 0.93 && output.labels == tolist(["bicycle", "motorcycle"])
    error_message = "A release that names neither leaves the defaults."
  }
}

run "assignments_reach_what_decides" {
  command = plan

  variables {
    active_release = "one"
    assignments = {
      bicycle    = { bay = "A", orders = "near", max_km = 3 }
      motorcycle = { bay = "B", orders = "far", max_km = 12 }
    }
  }

  assert {
    condition = alltrue([
      for key in ["filter_inferences", "classify_batch"] :
      local.functions[key].environment.ASSIGNMENTS == jsonencode(var.assignments) && local.functions[key].environment.RELEASE == "one"
    ])
    error_message = "What decides on an image knows its assignment and its release."
  }

  assert {
    condition     = length(aws_s3_object.assignments) == 0
    error_message = "Two classes' assignments fit into a variable."
  }
}

run "many_assignments_are_an_object" {
  command = plan

  variables {
    labels      = [for n in range(196) : "class-${n}"]
    assignments = { for n in range(196) : "class-${n}" => { bay = "A", orders = "near", max_km = 3 } }
  }

  assert {
    condition     = startswith(local.functions["filter_inferences"].environment.ASSIGNMENTS, "s3://scones-dev-data-123456789012/assignments/")
    error_message = "A function's variables have 4,096 bytes; 196 assignments lie in the bucket."
  }
}

run "a_class_without_its_assignment_is_refused" {
  command = plan

  variables {
    active_release = "one"
    assignments    = { bicycle = { bay = "A", orders = "near", max_km = 3 } }
  }

  expect_failures = [var.assignments]
}

run "orders_are_near_or_far" {
  command = plan

  variables {
    assignments = { for name in ["bicycle", "motorcycle"] : name => { bay = "A", orders = "everywhere", max_km = 3 } }
  }

  expect_failures = [var.assignments]
}

run "concurrency_is_sized_to_the_endpoint" {
  command = plan

  variables {
    active_release = "one"
    autoscaling    = { min = 1, max = 4, target = 600 }
  }

  assert {
    condition     = local.execution_concurrency == 80 && local.functions["classify_batch"].environment.CONCURRENCY == "10"
    error_message = "Twenty images at once for each instance that the endpoint may have, ten in a batch."
  }
}

run "an_operator_overrides_the_threshold" {
  command = plan

  variables {
    active_release       = "one"
    confidence_threshold = 0.99
  }

  assert {
    condition     = output.threshold == 0.99
    error_message = "What an operator sets wins over the release."
  }
}

run "a_threshold_below_the_release_is_told" {
  command = plan

  variables {
    active_release       = "one"
    confidence_threshold = 0.5
  }

  expect_failures = [check.threshold_not_below_the_release]
}

run "a_retraining_needs_a_release" {
  variables {
    releases   = {}
    retraining = { training_image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-training" }
  }

  assert {
    condition     = output.retraining_state_machine_arn == ""
    error_message = "Before the first release there is nothing to retrain."
  }
}

run "a_retraining_is_there_with_a_release" {
  variables {
    active_release = "one"
    retraining     = { training_image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-training" }
  }

  assert {
    condition     = output.retraining_state_machine_arn != ""
    error_message = "With a release the retraining must be deployed."
  }
}

run "a_daily_report_is_there_with_a_release" {
  variables {
    active_release = "one"
    monitoring = {
      image           = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-monitoring"
      reference_since = "2026-11-20"
    }
    retraining = { training_image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-training" }
  }

  assert {
    condition     = output.daily_report_state_machine_arn != ""
    error_message = "With a release each day must be reported."
  }

  assert {
    condition     = toset(module.monitoring.drift_alarm_names) == toset(["scones-dev-low-confidence", "scones-dev-drift"])
    error_message = "The drift alarm must be one of those that start a retraining."
  }

  assert {
    condition     = jsondecode(module.daily_report["this"].settings).reference_since == "2026-11-20" && output.drift_reference_since == "2026-11-20"
    error_message = "The job and the toolkit must know from which day on traffic is usual."
  }
}

run "a_daily_report_needs_captured_records" {
  command = plan

  variables {
    active_release  = "one"
    capture_percent = 0
    monitoring      = { image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-monitoring" }
  }

  expect_failures = [var.monitoring]
}

run "demand_is_not_forecast_unless_asked_for" {
  command = plan

  assert {
    condition     = length(module.demand) == 0 && output.demand_model_group == "" && output.demand_state_machine_arn == "" && output.demand_builtin_image == ""
    error_message = "The demand forecast is off by default."
  }
}

run "demand_is_forecast_by_the_model_that_is_named" {
  variables {
    demand = {
      model = {
        image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/demand-1/output/model.tar.gz"
      }
    }
  }

  assert {
    condition     = output.demand_model_group == "scones-dev-demand" && output.demand_state_machine_arn != "" && output.demand_builtin_image != ""
    error_message = "With a model the demand forecast must be deployed."
  }
}

run "a_reference_begins_on_a_day" {
  command = plan

  variables {
    active_release = "one"
    monitoring = {
      image           = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-monitoring"
      reference_since = "last week"
    }
  }

  expect_failures = [var.monitoring]
}

run "what_answers_is_recorded_around_each_roll_out" {
  assert {
    condition     = jsondecode(aws_s3_object.chosen_release.content).release == var.active_release
    error_message = "The roll-out of a release must be recorded as it begins."
  }

  assert {
    condition     = jsondecode(aws_s3_object.active_release.content).rollout == aws_s3_object.chosen_release.version_id
    error_message = "The end of a roll-out must name its beginning: else a rollback would leave no trace."
  }

  assert {
    condition     = alltrue([for object in [aws_s3_object.chosen_release, aws_s3_object.active_release] : jsondecode(object.content).threshold == local.threshold && tolist(jsondecode(object.content).labels) == tolist(local.labels)])
    error_message = "What answers are judged by must be recorded with the release that gave them."
  }
}
