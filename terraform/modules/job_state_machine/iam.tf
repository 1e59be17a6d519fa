locals {
  trusted = {
    machine = { service = ["states.amazonaws.com"], condition = { ArnEquals = { "aws:SourceArn" = local.arns.state_machine } } }
    jobs    = { service = ["sagemaker.amazonaws.com"], condition = {} }
    starter = { service = var.starters, condition = {} }
  }

  statements = {
    machine = concat(local.own.machine, [
      for role in [local.arns.jobs] : {
        Sid       = "HandRoleToJobs"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = role
        Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      }
      # A batch transform has the role of its model.
      if length(setsubtract(var.jobs, ["Transform"])) > 0
      ], [
      for bus in [local.arns.bus] : {
        Sid      = "PublishEvents"
        Effect   = "Allow"
        Action   = "events:PutEvents"
        Resource = bus
      }
      if var.publishes_events
      ], [
      {
        Sid    = "RunJobs"
        Effect = "Allow"
        Action = concat(["sagemaker:AddTags"], flatten([
          for kind in var.jobs : [for verb in ["Create", "Describe", "Stop"] : "sagemaker:${verb}${kind}Job"]
        ]))
        Resource = [for kind in var.jobs : "${local.aws}:sagemaker:${local.regional}:${lower(kind)}-job/${local.name}-*"]
      },
      {
        # Step Functions follows a job through EventBridge rules that it manages.
        Sid    = "FollowJobs"
        Effect = "Allow"
        Action = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
        Resource = [
          for kind in var.jobs : "${local.aws}:events:${local.regional}:rule/StepFunctionsGetEventsForSageMaker${kind}JobsRule"
        ]
      },
      {
        Sid      = "Trace"
        Effect   = "Allow"
        Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        Resource = "*"
      },
      {
        # Vended log delivery belongs to the account; Step Functions documents "*" for it.
        Sid    = "DeliverLogs"
        Effect = "Allow"
        Action = [
          "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups",
          "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries",
          "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
        ]
        Resource = "*"
      },
    ])

    jobs = concat(local.own.jobs, [
      # The first job of its kind in an account creates the log group (that of training jobs is
      # declared). AWS may authorise the creation by the ARN of the group's streams.
      for kind in setsubtract(var.jobs, ["Training"]) : {
        Sid      = "Create${kind}LogGroup"
        Effect   = "Allow"
        Action   = "logs:CreateLogGroup"
        Resource = [for end in ["", ":*"] : "${local.aws}:logs:${local.regional}:log-group:/aws/sagemaker/${kind}Jobs${end}"]
      }
      ], [
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = [for kind in var.jobs : "${local.aws}:logs:${local.regional}:log-group:/aws/sagemaker/${kind}Jobs:*"]
      },
      {
        Sid       = "PutMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = [for kind in var.jobs : "/aws/sagemaker/${kind}Jobs"] } }
      },
      local.use_key,
      {
        # SageMaker uses the key for the volumes of its instances, only through a grant.
        Sid       = "EncryptVolumes"
        Effect    = "Allow"
        Action    = "kms:CreateGrant"
        Resource  = var.environment.kms_key_arn
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.environment.repository_arns
      },
      {
        # The token is the whole registry's; it has no resource.
        Sid      = "RegistryToken"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
    ])

    starter = [
      {
        Sid      = "StartExecution"
        Effect   = "Allow"
        Action   = "states:StartExecution"
        Resource = local.arns.state_machine
      },
      local.use_key,
    ]
  }

  own = {
    for role, statements in var.statements : role => [
      for statement in statements : merge({ for key, value in statement : key => value if value != null }, { Effect = "Allow" })
    ]
  }

  use_key = {
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    Resource = var.environment.kms_key_arn
  }
}

resource "aws_iam_role" "this" {
  for_each = local.trusted

  name                 = "${local.name}-${each.key}"
  permissions_boundary = var.environment.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = each.value.service }
      Action    = "sts:AssumeRole"
      Condition = merge({ StringEquals = { "aws:SourceAccount" = var.environment.account_id } }, each.value.condition)
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.statements

  name   = "access"
  role   = aws_iam_role.this[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}
