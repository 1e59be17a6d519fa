mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  environment = "dev"
  account_id  = "123456789012"
  repository  = "scones-unlimited/scones"
}

run "a_wildcard_repository_is_refused" {
  command = plan

  variables {
    repository = "scones-unlimited/*"
  }

  expect_failures = [var.repository]
}

run "a_repository_without_an_owner_is_refused" {
  command = plan

  variables {
    repository = "scones"
  }

  expect_failures = [var.repository]
}

run "another_issuer_is_refused" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com"
  }

  expect_failures = [var.oidc_provider_arn]
}

run "an_environment_that_no_name_can_carry_is_refused" {
  command = plan

  variables {
    environment = "dev-plan"
  }

  expect_failures = [var.environment]
}
