# Who may assume the roles.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  environment = "dev"
  account_id  = "123456789012"
  repository  = "scones-unlimited/scones"
}

run "one_repository_and_one_github_environment" {
  command = plan

  assert {
    condition = { for key, policy in local.trust_policies : key => jsondecode(policy).Statement[0].Condition } == {
      plan = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:scones-unlimited/scones:environment:dev-plan"
      } }
      apply = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:scones-unlimited/scones:environment:dev"
      } }
    }
    error_message = "A role is taken by one repository, from one GitHub environment, compared as a whole text."
  }

  assert {
    condition = alltrue([
      for policy in values(local.trust_policies) :
      length(jsondecode(policy).Statement) == 1 && jsondecode(policy).Statement[0].Principal == { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
    ])
    error_message = "Nobody but GitHub's provider may take a role."
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 1 && aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "The provider must take tokens for STS alone."
  }
}

run "a_provider_that_is_there_is_taken" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "An account has one provider per issuer; a second one is refused."
  }

  assert {
    condition     = alltrue([for policy in values(local.trust_policies) : strcontains(policy, var.oidc_provider_arn)])
    error_message = "The roles must trust the provider that was given."
  }
}

run "without_a_repository_there_is_the_bucket_alone" {
  command = plan

  variables {
    repository = null
  }

  assert {
    condition     = length(aws_iam_role.this) == 0 && length(aws_iam_policy.boundary) == 0 && length(aws_iam_openid_connect_provider.github) == 0
    error_message = "Without a repository nobody from outside may take a role."
  }

  assert {
    condition     = aws_s3_bucket.state.bucket == "scones-dev-terraform-state-123456789012"
    error_message = "The bucket's name must be the one that `inv plan` takes."
  }
}
