locals {
  trusted = {
    machine = { service = "states.amazonaws.com", condition = { ArnEquals = { "aws:SourceArn" = local.arns.state_machine } } }
    jobs    = { service = "sagemaker.amazonaws.com", condition = {} }
    starter = { service = "scheduler.amazonaws.com", condition = {} }
  }

  statements = {
    machine = [
      {
        Sid    = "RunJobs"
        Effect = "Allow"
        Action = [
          "sagemaker:AddTags", "sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob",
        ]
        Resource = "arn:${var.partition}:sagemaker:${local.regional}:processing-job/${local.name}-*"
      },
      {
        Sid       = "PassRoleToJobs"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = local.arns.jobs
        Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      },
      {
        # Step Functions learns of a job's end by a rule of its own.
        Sid      = "FollowJobs"
        Effect   = "Allow"
        Action   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
        Resource = "arn:${var.partition}:events:${local.regional}:rule/StepFunctionsGetEventsForSageMakerProcessingJobsRule"
      },
      {
        Sid      = "ReadSummaries"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.arns.data}/monitoring/*/summary.json"
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
        Sid      = "ReadCapture"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.arns.capture}/${local.capture.prefix}/*"
      },
      {
        Sid       = "ListCapture"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.arns.capture
        Condition = { StringLike = { "s3:prefix" = ["${local.capture.prefix}/*"] } }
      },
      {
        Sid      = "ReadSettingsAndLabels"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = [local.arns.settings, "${local.arns.data}/labels/*"]
      },
      {
        Sid       = "ListSettingsAndLabels"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.arns.data
        Condition = { StringLike = { "s3:prefix" = [local.settings_key, "labels/*"] } }
      },
      {
        Sid      = "WriteReport"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = "${local.arns.data}/monitoring/*"
      },
      {
        # What is captured of the requests is in the endpoint's configuration.
        Sid      = "ReadEndpoint"
        Effect   = "Allow"
        Action   = ["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig"]
        Resource = [var.endpoint_arns.endpoint, var.endpoint_arns.configuration]
      },
      {
        # Metrics have no resource.
        Sid      = "ReadMetrics"
        Effect   = "Allow"
        Action   = "cloudwatch:GetMetricData"
        Resource = "*"
      },
      {
        Sid       = "PutMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = var.metric_namespace } }
      },
      {
        # SageMaker's own, of the instance.
        Sid       = "PutInstanceMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "/aws/sagemaker/ProcessingJobs" } }
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = "arn:${var.partition}:logs:${local.regional}:log-group:/aws/sagemaker/ProcessingJobs:*"
      },
      {
        # The first processing job of an account finds no group.
        Sid      = "CreateLogGroup"
        Effect   = "Allow"
        Action   = "logs:CreateLogGroup"
        Resource = "arn:${var.partition}:logs:${local.regional}:log-group:/aws/sagemaker/ProcessingJobs"
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
        Sid      = "StartReport"
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
  for_each = local.trusted

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
  for_each = local.statements

  name   = "access"
  role   = aws_iam_role.this[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}
