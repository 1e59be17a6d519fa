# While the workflow moves to another mode, it always has an endpoint.

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

run "realtime_alone" {
  variables {
    active_release = "one"
  }

  assert {
    condition     = keys(module.endpoint) == ["realtime"] && output.endpoint_name == "scones-dev-classifier"
    error_message = "An environment serves in real time unless it says otherwise."
  }
}

run "the_new_mode_comes_beside_the_old_one" {
  command = plan

  variables {
    active_release = "one"
    autoscaling    = { min = 2, max = 3, target = 100 }
    serving        = { additional_modes = ["serverless", "async"] }
  }

  assert {
    condition     = output.endpoint_name == "scones-dev-classifier" && toset(keys(module.endpoint)) == toset(["realtime", "serverless", "async"])
    error_message = "The workflow must go on asking the endpoint that is there."
  }

  assert {
    condition     = output.async_uri == "s3://scones-dev-capture-123456789012/async"
    error_message = "An asynchronous endpoint's answers must be found."
  }
}

run "the_workflow_asks_the_new_one_while_the_old_one_stays" {
  command = plan

  variables {
    active_release = "one"
    autoscaling    = { min = 2, max = 3, target = 100 }
    office_hours   = { from = "07:00", to = "19:00", action = "scale-in" }
    serving        = { mode = "serverless", additional_modes = ["realtime"] }
  }

  assert {
    condition     = output.endpoint_name == "scones-dev-serverless" && module.endpoint["realtime"].name == "scones-dev-classifier"
    error_message = "What belongs to the real-time endpoint must not keep the workflow from moving."
  }
}

run "async_is_no_mode_of_the_workflow" {
  command = plan

  variables {
    serving = { mode = "async" }
  }

  expect_failures = [var.serving]
}

run "a_challenger_decides_by_its_own_threshold" {
  command = plan

  variables {
    active_release = "one"
    challenger     = { release = "three", share = 0.2 }
    releases = merge(var.releases, {
      three = {
        image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:3"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-3/output/model.tar.gz"
        model_sha256   = "3333333333333333333333333333333333333333333333333333333333333333"
        threshold      = 0.91
        labels         = ["motorcycle", "bicycle"]
      }
    })
  }

  assert {
    condition     = output.challenger == { release = "three", share = 0.2, variant = "Challenger-three", threshold = 0.91 } && output.variant == "AllTraffic"
    error_message = "Who reads an answer must know both variants."
  }

  assert {
    condition     = local.functions["filter_inferences"].environment.THRESHOLD == "0.97" && local.functions["filter_inferences"].environment.CHALLENGER_THRESHOLD == "0.91"
    error_message = "Each release has its own threshold."
  }

  assert {
    condition     = strcontains(module.monitoring.dashboard_body, "Challenger-three")
    error_message = "The dashboard must show both variants."
  }
}

run "a_daily_report_of_the_active_release_alone" {
  command = plan

  variables {
    active_release = "one"
    monitoring     = { image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-monitoring" }
  }

  assert {
    condition     = output.challenger == null && length(module.daily_report) == 1
    error_message = "Without a challenger a day is reported as before."
  }
}

run "a_daily_report_with_a_challenger" {
  command = plan

  variables {
    active_release = "two"
    challenger     = { release = "four", share = 0.5 }
    monitoring     = { image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-monitoring" }
    releases = merge(var.releases, {
      four = {
        image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:4"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-4/output/model.tar.gz"
        model_sha256   = "4444444444444444444444444444444444444444444444444444444444444444"
      }
    })
  }

  assert {
    condition     = output.challenger.threshold == output.threshold && output.challenger.variant == "Challenger-four"
    error_message = "A release without a threshold of its own decides by the environment's."
  }
}

run "a_challenger_with_another_order_of_classes" {
  command = plan

  variables {
    active_release = "one"
    challenger     = { release = "two", share = 0.2 }
  }

  expect_failures = [var.challenger]
}

run "a_challenger_of_a_serverless_workflow" {
  command = plan

  variables {
    active_release  = "one"
    capture_percent = 0
    serving         = { mode = "serverless" }
    challenger      = { release = "one", share = 0.2 }
  }

  expect_failures = [var.challenger]
}
