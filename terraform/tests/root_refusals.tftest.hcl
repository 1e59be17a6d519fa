mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "dev"
  lambda_dir  = "./tests/fixtures/lambda"
}

run "an_image_of_a_repository_that_the_role_may_not_pull_from" {
  command = plan

  variables {
    active_release = "one"
    releases = {
      one = {
        image          = "210987654321.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      }
    }
  }

  expect_failures = [aws_s3_object.chosen_release]
}

run "an_image_of_a_repository_that_was_added" {
  command = plan

  variables {
    active_release        = "one"
    model_repository_arns = ["arn:aws:ecr:us-east-1:210987654321:repository/scones-dev-model"]
    releases = {
      one = {
        image          = "210987654321.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      }
    }
  }

  assert {
    condition     = length(local.foreign_images) == 0
    error_message = "An image of a repository in model_repository_arns must be taken."
  }
}

run "an_image_of_another_region" {
  command = plan

  variables {
    active_release        = "one"
    model_repository_arns = ["arn:aws:ecr:eu-west-1:123456789012:repository/scones-dev-model"]
    releases = {
      one = {
        image          = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/scones-dev-model:1"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      }
    }
  }

  expect_failures = [aws_s3_object.chosen_release]
}

run "a_training_image_that_the_jobs_may_not_pull" {
  command = plan

  variables {
    retraining = { training_image = "210987654321.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1" }
  }

  expect_failures = [aws_s3_object.chosen_release]
}

run "a_monitoring_image_that_the_jobs_may_not_pull" {
  command = plan

  variables {
    monitoring = { image = "210987654321.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1" }
  }

  expect_failures = [aws_s3_object.chosen_release]
}

run "a_demand_image_that_the_jobs_may_not_pull" {
  command = plan

  variables {
    demand = {
      model = {
        image          = "210987654321.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
        model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
      }
    }
  }

  expect_failures = [aws_s3_object.chosen_release]
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
