# What the roles may do, read from the attached policies.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  environment = "dev"
  account_id  = "123456789012"
  repository  = "scones-unlimited/scones"
}

run "roles" {
  command = plan

  assert {
    condition     = alltrue([for role in values(aws_iam_role.this) : role.path == "/ci/"]) && aws_iam_policy.boundary[0].path == "/ci/"
    error_message = "Under another path, the apply role could change itself or the boundary."
  }

  assert {
    condition = alltrue([for key, held in aws_iam_role_policy_attachment.this : held.role == "scones-dev-${split("-", key)[0]}"]) && toset(keys(aws_iam_role_policy_attachment.this)) == toset(flatten([
      for name in keys(aws_iam_policy.this) : startswith(name, "read") ? ["plan-${name}", "apply-${name}"] : ["apply-${name}"]
    ]))
    error_message = "Both roles read; the apply role alone writes."
  }

  assert {
    condition     = sum([for name, policy in local.policies : length(jsondecode(policy).Statement)]) == length(local.statements.read) + length(local.statements.write)
    error_message = "Every statement must be in one policy."
  }

  assert {
    condition     = alltrue([for policy in values(merge(local.policies, { boundary = local.boundary })) : alltrue([for s in jsondecode(policy).Statement : s.Effect == "Allow" && !contains(flatten([s.Action]), "*")])])
    error_message = "No statement may allow everything."
  }
}

run "the_longest_names_fit" {
  command = plan

  variables {
    project     = "sixteen-letters1"
    environment = "tenletters"
    region      = "ap-southeast-2"
  }

  assert {
    condition     = alltrue([for policy in values(merge(local.policies, { boundary = local.boundary })) : length(policy) <= 6144])
    error_message = "IAM takes 6,144 characters of a managed policy."
  }

  assert {
    condition     = length(aws_iam_policy.this) <= 10
    error_message = "IAM takes ten managed policies of a role."
  }
}

run "a_plan_changes_nothing_but_the_lock" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for s in local.statements.read : [
        for action in flatten([s.Action]) :
        can(regex("^[a-z0-9-]+:(Get|List|Describe|Validate|View)", action)) || (s.Sid == "ReadEncryptedModels" && action == "kms:Decrypt") || s.Sid == "LockState"
      ]
    ]))
    error_message = "The plan role must only read."
  }

  assert {
    condition     = one([for s in local.statements.read : s.Resource if s.Sid == "LockState"]) == "arn:aws:s3:::scones-dev-terraform-state-123456789012/scones/dev/terraform.tfstate.tflock"
    error_message = "The plan role may write the lock alone."
  }

  assert {
    condition     = strcontains(jsonencode(local.statements.read), "states:ValidateStateMachineDefinition")
    error_message = "Without states:ValidateStateMachineDefinition no plan succeeds."
  }

  assert {
    condition     = !strcontains(jsonencode(local.statements.read), "s3:GetObjectVersion") && !strcontains(replace(jsonencode(local.statements.read), "/data-123456789012/(labels|assignments|daily-report)/[*]/", ""), "data-123456789012/")
    error_message = "A plan reads no image."
  }
}

run "no_role_without_the_boundary" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for s in local.statements.write : [
        for action in flatten([s.Action]) :
        try(s.Condition.StringEquals["iam:PermissionsBoundary"], "") == "arn:aws:iam::123456789012:policy/ci/scones-dev-boundary"
        if contains(["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"], action)
      ]
    ]))
    error_message = "Rights may be given only to roles that carry the boundary."
  }

  assert {
    condition = alltrue([
      for action in ["iam:DeleteRolePermissionsBoundary", "iam:CreatePolicy", "iam:CreateUser", "iam:AttachRolePolicy", "iam:CreateOpenIDConnectProvider"] :
      !strcontains(jsonencode(local.statements.write), action)
    ])
    error_message = "The apply role must have no way around the boundary."
  }

  assert {
    condition = alltrue(flatten([
      for s in local.statements.write : [
        for action in flatten([s.Action]) : flatten([s.Resource]) == ["arn:aws:iam::123456789012:role/scones-dev-*"]
        if startswith(action, "iam:") && s.Sid != "LinkScalingRole"
      ]
    ]))
    error_message = "Roles are changed by the environment's names alone."
  }

  assert {
    condition     = length(setsubtract(one([for s in local.statements.write : toset(s.Condition.StringEquals["iam:PassedToService"]) if s.Sid == "PassRoles"]), ["events.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com", "states.amazonaws.com", "scheduler.amazonaws.com"])) == 0
    error_message = "Roles are handed on only to the services that the workflow runs on."
  }

  assert {
    condition = [
      for s in jsondecode(local.boundary).Statement : [s.Action, s.Resource, s.Condition]
      if anytrue([for action in flatten([s.Action]) : can(regex("^(iam|sts):", action))])
    ] == [["iam:PassRole", "arn:aws:iam::123456789012:role/scones-dev-*-jobs", { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }]]
    error_message = "A bounded role must have no way to more rights; it may only hand a job its role."
  }
}

run "whole_account_only_where_there_is_no_resource" {
  command = plan

  assert {
    condition = toset(flatten([
      for policy in values(merge(local.policies, { boundary = local.boundary })) : [for s in jsondecode(policy).Statement : s.Sid if contains(flatten([s.Resource]), "*")]
    ])) == toset(["WithoutResource", "DeliverLogs", "CreateKey", "ChangeMapping"])
    error_message = "Every other statement must name its resources."
  }
}
