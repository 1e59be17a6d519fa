locals {
  trusted = {
    machine = { service = ["states.amazonaws.com"], condition = { ArnEquals = { "aws:SourceArn" = local.arns.state_machine } } }
    jobs    = { service = ["sagemaker.amazonaws.com"], condition = {} }
    starter = { service = ["events.amazonaws.com", "scheduler.amazonaws.com"], condition = {} }
  }

  job_arns = [
    for kind in ["processing-job", "training-job"] :
    "arn:${var.partition}:sagemaker:${local.regional}:${kind}/${local.name}-*"
  ]

  statements = {
    machine = [
      {
        Sid    = "RunJobs"
        Effect = "Allow"
        Action = [
          "sagemaker:AddTags", "sagemaker:CreateProcessingJob", "sagemaker:CreateTrainingJob",
          "sagemaker:DescribeProcessingJob", "sagemaker:DescribeTrainingJob",
          "sagemaker:StopProcessingJob", "sagemaker:StopTrainingJob",
        ]
        Resource = local.job_arns
      },
      {
        Sid       = "HandRoleToJobs"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = local.arns.jobs
        Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      },
      {
        # Step Functions learns of a job's end by rules of its own.
        Sid    = "FollowJobs"
        Effect = "Allow"
        Action = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
        Resource = [
          for kind in ["Processing", "Training"] :
          "arn:${var.partition}:events:${local.regional}:rule/StepFunctionsGetEventsForSageMaker${kind}JobsRule"
        ]
      },
      {
        Sid      = "LookForOtherRuns"
        Effect   = "Allow"
        Action   = "states:ListExecutions"
        Resource = local.arns.state_machine
      },
      {
        Sid      = "ExchangeSummaries"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = "${local.arns.artifacts}/retraining/*"
      },
      {
        Sid      = "RegisterCandidate"
        Effect   = "Allow"
        Action   = "sagemaker:CreateModelPackage"
        Resource = [local.arns.group, local.arns.package]
      },
      {
        Sid      = "PublishProposal"
        Effect   = "Allow"
        Action   = "events:PutEvents"
        Resource = local.arns.bus
      },
      {
        Sid      = "TellPeople"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = var.topic_arn
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
        Sid      = "ReadData"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = ["${local.arns.data}/dataset/*", "${local.arns.data}/labels/*"]
      },
      {
        Sid       = "ListData"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.arns.data
        Condition = { StringLike = { "s3:prefix" = ["dataset/*", "labels/*"] } }
      },
      {
        Sid      = "WriteDataset"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = "${local.arns.data}/dataset/*"
      },
      {
        Sid      = "ReadModels"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.arns.artifacts}/model/*"
      },
      {
        Sid       = "ListModels"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.arns.artifacts
        Condition = { StringLike = { "s3:prefix" = ["model/*"] } }
      },
      {
        Sid      = "WriteResults"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = ["${local.arns.artifacts}/model/*", "${local.arns.artifacts}/retraining/*"]
      },
      {
        Sid    = "WriteLogs"
        Effect = "Allow"
        Action = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = [
          for kind in ["ProcessingJobs", "TrainingJobs"] :
          "arn:${var.partition}:logs:${local.regional}:log-group:/aws/sagemaker/${kind}:*"
        ]
      },
      {
        Sid      = "PutMetrics"
        Effect   = "Allow"
        Action   = "cloudwatch:PutMetricData"
        Resource = "*"
        Condition = {
          StringEquals = { "cloudwatch:namespace" = ["/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs"] }
        }
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
        Sid      = "StartRetraining"
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
