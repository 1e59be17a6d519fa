# A function's timeout is one link of a chain: shorter than its state's, longer than its calls.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  lambda_dir         = "./tests/fixtures/lambda"
  alias              = "live"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  log_retention_days = 30
  functions = {
    filter_inferences = {
      name            = "scones-dev-filter-inferences"
      role_arn        = "arn:aws:iam::123456789012:role/scones-dev-filter-inferences"
      log_group       = "/aws/lambda/scones-dev-filter-inferences"
      description     = "Decides"
      memory_mb       = 128
      timeout_seconds = 10
      environment     = { THRESHOLD = "0.93" }
    }
  }
}

run "deployed_from_the_manifest" {
  module {
    source = "./modules/functions"
  }

  assert {
    condition     = aws_lambda_function.this["filter_inferences"].handler == "scones_lambdas.filter_inferences.handler" && aws_lambda_function.this["filter_inferences"].source_code_hash == "ZmlsdGVyX2luZmVyZW5jZXM="
    error_message = "Handler and hash must be those that the manifest names."
  }

  assert {
    condition     = aws_lambda_function.this["filter_inferences"].publish && output.versions["filter_inferences"] == aws_lambda_function.this["filter_inferences"].version
    error_message = "The alias must point at the published version."
  }

  assert {
    condition     = aws_lambda_function.this["filter_inferences"].tracing_config[0].mode == "Active" && aws_lambda_function.this["filter_inferences"].kms_key_arn == var.kms_key_arn
    error_message = "A function is traced, and its environment encrypted with the key."
  }

  assert {
    condition     = one(aws_lambda_function.this["filter_inferences"].logging_config).log_group == aws_cloudwatch_log_group.this["filter_inferences"].name
    error_message = "A function must log to the group that is declared for it."
  }
}

run "a_day_is_no_timeout" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    functions = {
      filter_inferences = {
        name            = "x"
        role_arn        = "arn:aws:iam::123456789012:role/x"
        log_group       = "/aws/lambda/x"
        description     = "x"
        memory_mb       = 128
        timeout_seconds = 86400
        environment     = {}
      }
    }
  }

  expect_failures = [var.functions]
}
