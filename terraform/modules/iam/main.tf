locals {
  # Lambda's trust needs no condition: who gives a function its role needs iam:PassRole in this
  # account.
  trusted = merge(
    { for key in keys(var.arns.functions) : key => { service = "lambda.amazonaws.com", condition = {} } },
    {
      workflow = {
        service = "states.amazonaws.com"
        condition = {
          StringEquals = { "aws:SourceAccount" = var.account_id }
          ArnEquals    = { "aws:SourceArn" = var.arns.state_machine }
        }
      }
      endpoint = {
        service   = "sagemaker.amazonaws.com"
        condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      }
      training = {
        service   = "sagemaker.amazonaws.com"
        condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      }
    },
    !var.deletes_endpoint ? {} : {
      off_hours = {
        service = "scheduler.amazonaws.com"
        condition = {
          StringEquals = { "aws:SourceAccount" = var.account_id }
          ArnEquals    = { "aws:SourceArn" = var.arns.off_hours_group }
        }
      }
    },
  )

  trust_policies = {
    for key, trust in local.trusted : key => jsonencode({
      Version = "2012-10-17"
      Statement = [merge(
        {
          Effect    = "Allow"
          Principal = { Service = trust.service }
          Action    = "sts:AssumeRole"
        },
        length(trust.condition) == 0 ? {} : { Condition = trust.condition },
      )]
    })
  }

  policies = {
    for key, statements in merge(local.function_statements, local.service_statements, local.off_hours_statements) :
    key => jsonencode({ Version = "2012-10-17", Statement = statements })
  }
}

resource "aws_iam_role" "this" {
  for_each = local.trust_policies

  name                 = var.role_names[each.key]
  assume_role_policy   = each.value
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = "access"
  role   = aws_iam_role.this[each.key].name
  policy = each.value
}
