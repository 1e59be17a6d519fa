# Who may plan and apply from GitHub's workflows: tokens of one repository, in one GitHub
# environment each. https://docs.github.com/actions/reference/security/oidc

locals {
  # GitHub lets only jobs that name an environment carry its subject; the environment's own
  # rules (branches, reviewers) then hold for the role.
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

# The path keeps these roles out of the environment's own names: what may change `role/x-dev-*`
# can't change them.
resource "aws_iam_role" "this" {
  for_each = local.trust_policies

  name                 = "${local.prefix}-${each.key}"
  path                 = local.path
  description          = "Taken by the GitHub environment ${local.github_environments[each.key]} of ${var.repository}"
  assume_role_policy   = each.value
  max_session_duration = 3600
}

# A managed policy, as a role's inline ones are limited to 10240 characters together.
resource "aws_iam_policy" "read" {
  count = var.repository == null ? 0 : 1

  name        = "${local.prefix}-read"
  path        = local.path
  description = "What a plan of ${local.prefix} reads, and the lock of its state"
  policy      = local.policies.read
}

resource "aws_iam_role_policy_attachment" "read" {
  for_each = aws_iam_role.this

  role       = each.value.name
  policy_arn = aws_iam_policy.read[0].arn
}

resource "aws_iam_role_policy" "write" {
  count = var.repository == null ? 0 : 1

  name   = "write"
  role   = aws_iam_role.this["apply"].name
  policy = local.policies.write
}

resource "aws_iam_policy" "boundary" {
  count = var.repository == null ? 0 : 1

  name        = "${local.prefix}-boundary"
  path        = local.path
  description = "The most that any role of ${local.prefix} may do"
  policy      = local.boundary
}
