mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "dev"
  lambda_dir  = "./tests/fixtures/lambda"
}

run "active_release_without_releases" {
  command = plan

  variables {
    active_release = "one"
  }

  expect_failures = [var.active_release]
}

run "threshold_out_of_range" {
  command = plan

  variables {
    confidence_threshold = 97
  }

  expect_failures = [var.confidence_threshold]
}

run "one_label" {
  command = plan

  variables {
    labels = ["bicycle"]
  }

  expect_failures = [var.labels]
}

run "retention_unknown_to_cloudwatch" {
  command = plan

  variables {
    retention = { log_days = 10 }
  }

  expect_failures = [var.retention]
}
