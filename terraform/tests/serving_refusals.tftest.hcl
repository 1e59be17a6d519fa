# What SageMaker would refuse only in the middle of an apply is refused at plan.

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
  rollout            = { bake_seconds = 0, termination_seconds = 0 }
  releases = {
    one = {
      image          = "registry/scones-dev-model:1"
      model_data_url = "s3://artifacts/model/job-1/output/model.tar.gz"
      model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
    }
    two = {
      image          = "registry/scones-dev-model:2"
      model_data_url = "s3://artifacts/model/job-2/output/model.tar.gz"
      model_sha256   = "2222222222222222222222222222222222222222222222222222222222222222"
    }
  }
}

run "capture_of_a_serverless_endpoint" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    mode = "serverless"
  }

  expect_failures = [var.capture_percent]
}

run "a_shadow_of_a_serverless_endpoint" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    mode            = "serverless"
    capture_percent = 0
    active_release  = "one"
    shadow_release  = "two"
  }

  expect_failures = [var.shadow_release]
}

run "a_shadow_of_itself" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "one"
    shadow_release = "one"
  }

  expect_failures = [var.shadow_release]
}

run "a_shadow_that_nobody_sees" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release  = "one"
    shadow_release  = "two"
    capture_percent = 0
  }

  expect_failures = [var.shadow_release]
}

run "a_challenger_that_is_the_active_release" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "two"
    challenger     = { release = "two", share = 0.5, variant = "Challenger-two" }
  }

  expect_failures = [var.challenger]
}

run "a_challenger_with_all_requests" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "one"
    challenger     = { release = "two", share = 1, variant = "Challenger-two" }
  }

  expect_failures = [var.challenger]
}

run "a_challenger_that_is_unknown" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "one"
    challenger     = { release = "three", share = 0.5, variant = "Challenger-three" }
  }

  expect_failures = [var.challenger]
}

run "a_challenger_of_a_serverless_endpoint" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    mode            = "serverless"
    capture_percent = 0
    active_release  = "one"
    challenger      = { release = "two", share = 0.5, variant = "Challenger-two" }
  }

  expect_failures = [var.challenger]
}

run "a_challenger_and_a_shadow" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "one"
    shadow_release = "two"
    challenger     = { release = "two", share = 0.5, variant = "Challenger-two" }
  }

  expect_failures = [var.challenger]
}

run "a_challenger_that_nobody_sees" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release  = "one"
    capture_percent = 0
    challenger      = { release = "two", share = 0.5, variant = "Challenger-two" }
  }

  expect_failures = [var.challenger]
}

run "a_canary_of_a_challenger_of_one_instance" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "one"
    rollout        = { bake_seconds = 60, termination_seconds = 60, strategy = "canary" }
    challenger     = { release = "two", share = 0.5, variant = "Challenger-two" }
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

  expect_failures = [var.rollout]
}

run "autoscaling_of_a_serverless_endpoint" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    mode            = "serverless"
    capture_percent = 0
    autoscaling     = { min = 1, max = 2, target = 100 }
  }

  expect_failures = [var.autoscaling]
}

run "a_realtime_endpoint_without_an_instance" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    autoscaling = { min = 0, max = 2, target = 100 }
  }

  expect_failures = [var.autoscaling]
}

run "a_canary_of_one_instance" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "one"
    rollout        = { bake_seconds = 60, termination_seconds = 60, strategy = "canary" }
  }

  expect_failures = [var.rollout]
}

run "another_variant" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    variant = "Blue"
  }

  expect_failures = [var.variant]
}

run "async_without_a_place_for_answers" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    mode = "async"
  }

  expect_failures = [var.async]
}

run "an_unknown_mode" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    mode = "batch"
  }

  expect_failures = [var.mode]
}

run "scaling_in_what_does_not_scale" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    office_hours = { from = "07:00", to = "19:00", action = "scale-in" }
  }

  expect_failures = [var.office_hours]
}

run "deleting_what_scales" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    office_hours = { from = "07:00", to = "19:00" }
    autoscaling  = { min = 1, max = 2, target = 100 }
    off_hours    = { role_arn = "arn:aws:iam::123456789012:role/x", name = "x", partition = "aws" }
  }

  expect_failures = [var.office_hours]
}

run "a_night_that_ends_before_it_begins" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    office_hours = { from = "19:00", to = "07:00" }
    off_hours    = { role_arn = "arn:aws:iam::123456789012:role/x", name = "x", partition = "aws" }
  }

  expect_failures = [var.office_hours]
}
