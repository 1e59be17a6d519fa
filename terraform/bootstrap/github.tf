# The roles that plan and apply from GitHub's workflows: each accepts tokens of one repository and
# one GitHub environment. https://docs.github.com/actions/reference/security/oidc

locals {
  # Only jobs that name a GitHub environment get tokens with its subject, so the environment's rules
  # (branches, reviewers) apply to the role.
  github_environments = var.repository == null ? {} : {
    plan  = "${var.environment}-plan"
    apply = var.environment
  }

  issuer            = "token.actions.githubusercontent.com"
  oidc_provider_arn = var.oidc_provider_arn == null ? one(aws_iam_openid_connect_provider.github[*].arn) : var.oidc_provider_arn

  trust_policies = {
    for key, github_environment in local.github_environments : key => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Federated = local.oidc_provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = "repo:${var.repository}:environment:${github_environment}"
          }
        }
      }]
    })
  }
}

# One per account and issuer. AWS checks GitHub's certificate against its own authorities, so
# there is no thumbprint to keep.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.repository != null && var.oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# The path separates these roles from the environment's names: a role that may change
# `role/x-dev-*` cannot change them.
resource "aws_iam_role" "this" {
  for_each = local.trust_policies

  name                 = "${local.prefix}-${each.key}"
  path                 = local.path
  description          = "Assumed by the GitHub environment ${local.github_environments[each.key]} of ${var.repository}"
  assume_role_policy   = each.value
  max_session_duration = 3600
}

# Managed policies, because the inline policies of a role have at most 10,240 characters in total.
resource "aws_iam_policy" "this" {
  for_each = var.repository == null ? {} : local.policies

  name        = "${local.prefix}-${each.key}"
  path        = local.path
  description = startswith(each.key, "read") ? "What a plan of ${local.prefix} reads, and the lock of its state" : "What an apply of ${local.prefix} changes"
  policy      = each.value
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = merge([
    for name in keys(aws_iam_policy.this) : {
      for role in local.roles_of[split("-", name)[0]] : "${role}-${name}" => { role = role, policy = name }
    }
  ]...)

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = aws_iam_policy.this[each.value.policy].arn
}

resource "aws_iam_policy" "boundary" {
  count = var.repository == null ? 0 : 1

  name        = "${local.prefix}-boundary"
  path        = local.path
  description = "The most that any role of ${local.prefix} may do"
  policy      = local.boundary
}
