locals {
  trusted = {
    machine = { service = "states.amazonaws.com", condition = { ArnEquals = { "aws:SourceArn" = local.arns.state_machine } } }
    jobs    = { service = "sagemaker.amazonaws.com", condition = {} }
    starter = { service = "scheduler.amazonaws.com", condition = {} }
  }

  statements = {
    machine = [
      {
        Sid      = "RunJobs"
        Effect   = "Allow"
        Action   = ["sagemaker:AddTags", "sagemaker:CreateTransformJob", "sagemaker:DescribeTransformJob", "sagemaker:StopTransformJob"]
        Resource = "arn:${var.partition}:sagemaker:${local.regional}:transform-job/${local.name}-*"
      },
      {
        # Step Functions learns of a job's end by a rule of its own.
        Sid      = "FollowJobs"
        Effect   = "Allow"
        Action   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
        Resource = "arn:${var.partition}:events:${local.regional}:rule/StepFunctionsGetEventsForSageMakerTransformJobsRule"
      },
      {
        Sid      = "PublishForecast"
        Effect   = "Allow"
        Action   = "events:PutEvents"
        Resource = local.arns.bus
      },
      local.use_key,
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
    ]

    jobs = [
      {
        Sid    = "ReadModelAndHours"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "arn:${var.partition}:s3:::${trimprefix(try(var.model.model_data_url, ""), "s3://")}",
          "${local.arns.data}/demand/input/*",
        ]
      },
      {
        Sid       = "ListHours"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.arns.data
        Condition = { StringLike = { "s3:prefix" = ["demand/input/*"] } }
      },
      {
        Sid      = "WriteForecasts"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = "${local.arns.data}/demand/forecasts/*"
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = "arn:${var.partition}:logs:${local.regional}:log-group:/aws/sagemaker/TransformJobs:*"
      },
      {
        # The first batch transform of an account finds no group.
        Sid      = "CreateLogGroup"
        Effect   = "Allow"
        Action   = "logs:CreateLogGroup"
        Resource = "arn:${var.partition}:logs:${local.regional}:log-group:/aws/sagemaker/TransformJobs"
      },
      {
        Sid       = "PutMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "/aws/sagemaker/TransformJobs" } }
      },
      local.use_key,
      {
        # SageMaker hands the key to the volumes of its instances by a grant, and only so.
        Sid       = "EncryptVolumes"
        Effect    = "Allow"
        Action    = "kms:CreateGrant"
        Resource  = var.kms_key_arn
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.repository_arns
      },
      {
        # The token is the whole registry's; it has no resource.
        Sid      = "RegistryToken"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
    ]

    starter = [
      {
        Sid      = "StartForecast"
        Effect   = "Allow"
        Action   = "states:StartExecution"
        Resource = local.arns.state_machine
      },
      local.use_key,
    ]
  }

  use_key = {
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    Resource = var.kms_key_arn
  }
}

resource "aws_iam_role" "this" {
  for_each = { for key, trusted in local.trusted : key => trusted if var.model != null }

  name                 = "${local.name}-${each.key}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = each.value.service }
      Action    = "sts:AssumeRole"
      Condition = merge({ StringEquals = { "aws:SourceAccount" = var.account_id } }, each.value.condition)
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = aws_iam_role.this

  name   = "access"
  role   = each.value.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}
