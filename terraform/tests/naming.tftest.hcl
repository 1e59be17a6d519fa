# Names are computed, so every one can be read in a plan, in a policy and here.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "names_carry_project_and_environment" {
  command = plan

  module {
    source = "./modules/naming"
  }

  variables {
    project     = "scones"
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-1"
    partition   = "aws"
  }

  assert {
    condition     = output.names.buckets["data"] == "scones-dev-data-123456789012"
    error_message = "A bucket's name must carry the account, or two accounts collide."
  }

  assert {
    condition     = output.names.functions["serialize_image"] == "scones-dev-serialize-image"
    error_message = "A function is named <project>-<environment>-<bundle with hyphens>."
  }

  assert {
    condition     = output.arns.functions["classify_image"] == "arn:aws:lambda:eu-west-1:123456789012:function:scones-dev-classify-image"
    error_message = "A function's ARN must follow from names, region and account."
  }

  assert {
    condition     = output.arns.roles["training"] == "arn:aws:iam::123456789012:role/scones-dev-training"
    error_message = "A role's ARN has no region."
  }

  assert {
    condition     = toset(keys(output.names.roles)) == toset(["serialize_image", "classify_image", "filter_inferences", "classify_batch", "record_results", "collect_inbox", "workflow", "endpoint", "training", "off_hours"])
    error_message = "Each principal needs a role of its own."
  }
}

run "longest_names_fit" {
  command = plan

  module {
    source = "./modules/naming"
  }

  variables {
    project     = "scones-unlimited"
    environment = "stage"
    account_id  = "123456789012"
    region      = "ap-southeast-2"
    partition   = "aws"
  }

  assert {
    condition     = max([for name in values(output.names.buckets) : length(name)]...) <= 63
    error_message = "S3 takes names of 63 characters at most."
  }

  assert {
    condition     = max([for name in values(output.names.functions) : length(name)]...) <= 64
    error_message = "Lambda takes names of 64 characters at most."
  }

  assert {
    condition     = max([for name in values(output.names.roles) : length(name)]...) <= 64
    error_message = "IAM takes names of 64 characters at most."
  }

  assert {
    condition     = max([for name in values(output.names.endpoints) : length(name)]...) + length("-12345678901234567890-12345678") <= 63
    error_message = "SageMaker takes names of 63 characters at most."
  }
}

run "too_long_a_pair_is_refused" {
  command = plan

  module {
    source = "./modules/naming"
  }

  variables {
    project     = "scones-unlimited"
    environment = "staging"
    account_id  = "123456789012"
    region      = "us-east-1"
    partition   = "aws"
  }

  expect_failures = [var.environment]
}

run "upper_case_is_refused" {
  command = plan

  module {
    source = "./modules/naming"
  }

  variables {
    project     = "Scones"
    environment = "dev"
    account_id  = "123456789012"
    region      = "us-east-1"
    partition   = "aws"
  }

  expect_failures = [var.project]
}
