# Each refused value names its variable; nothing reaches AWS.

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
  }
}

run "unknown_active_release" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "two"
  }

  expect_failures = [var.active_release]
}

run "moving_image_tag" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    releases = {
      one = {
        image          = "registry/scones-dev-model:latest"
        model_data_url = "s3://artifacts/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      }
    }
  }

  expect_failures = [var.releases]
}

run "release_id_too_long" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    releases = {
      a-release-id-of-21-abc = {
        image          = "registry/scones-dev-model:1"
        model_data_url = "s3://artifacts/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      }
    }
  }

  expect_failures = [var.releases]
}

run "digest_that_is_none" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    releases = {
      one = {
        image          = "registry/scones-dev-model:1"
        model_data_url = "s3://artifacts/model/job-1/output/model.tar.gz"
        model_sha256   = "unknown"
      }
    }
  }

  expect_failures = [var.releases]
}

run "artifact_that_the_role_cannot_read" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    releases = {
      one = {
        image          = "registry/scones-dev-model:1"
        model_data_url = "s3://elsewhere/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      }
    }
  }

  expect_failures = [aws_sagemaker_model.this]
}

run "capture_share_out_of_range" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    capture_percent = 101
  }

  expect_failures = [var.capture_percent]
}

run "no_rollback_alarm_left" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    active_release = "one"
    ignored_alarms = ["${var.name}-5xx", "${var.name}-latency"]
  }

  expect_failures = [aws_sagemaker_endpoint.this]
}
