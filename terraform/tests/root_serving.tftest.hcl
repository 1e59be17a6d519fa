# The workflow moves to another mode without a moment in which it has no endpoint.

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
