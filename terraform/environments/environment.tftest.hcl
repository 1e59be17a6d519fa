# What an environment sets must fit together before anybody applies it. Run once for each, with
# its own variables: terraform test -test-directory=environments -var-file=environments/dev/env.tfvars

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  lambda_dir     = "./tests/fixtures/lambda"
  active_release = "one"
}

run "plans_with_a_release" {
  command = plan

  variables {
    releases = {
      one = {
        image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/${var.project}-${var.environment}-model:1"
        model_data_url = "s3://${var.project}-${var.environment}-artifacts-123456789012/model/job-1/output/model.tar.gz"
        model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      }
    }
  }

  assert {
    condition     = output.endpoint_name == "${var.project}-${var.environment}-classifier"
    error_message = "Every environment serves a release."
  }

  assert {
    condition     = try(var.alarms.monthly_budget_usd, null) != null
    error_message = "Every environment has a budget."
  }

  assert {
    condition     = var.environment == "local" || try(var.retention.expires_objects, true)
    error_message = "In an account, buckets do not grow for ever."
  }

  assert {
    condition     = var.environment == "prod" ? !var.force_destroy && try(var.autoscaling.min, 0) >= 2 : true
    error_message = "In prod nothing is lost by a destroy, and a release is tried as a canary."
  }
}
