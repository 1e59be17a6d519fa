# The most that a role of the environment may ever do, whatever its own policy says: no IAM, no
# other environment's buckets, no making of resources. Its own policy is narrower still.

locals {
  boundary = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource = concat(local.arns.buckets, [for arn in local.arns.buckets : "${arn}/*"])
      },
      {
        Sid       = "Key"
        Effect    = "Allow"
        Action    = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"]
        Resource  = local.arns.keys
        Condition = { StringEquals = local.tagged.resource }
      },
      {
        Sid      = "Workflow"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction", "sagemaker:InvokeEndpoint"]
        Resource = concat([local.arns.functions], local.arns.sagemaker)
      },
      {
        # A Map Run starts and ends executions of its own state machine; the inbox starts it.
        Sid      = "Executions"
        Effect   = "Allow"
        Action   = ["states:DescribeExecution", "states:StartExecution", "states:StopExecution"]
        Resource = [local.arns.state_machines, local.arns.executions]
      },
      {
        Sid    = "Results"
        Effect = "Allow"
        Action = [
          "dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "events:PutEvents",
          "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
        ]
        Resource = [local.arns.tables, local.arns.event_bus, local.arns.queues]
      },
      {
        # For the schedules that take an endpoint down for the night.
        Sid      = "OfficeHours"
        Effect   = "Allow"
        Action   = ["sagemaker:AddTags", "sagemaker:CreateEndpoint", "sagemaker:DeleteEndpoint"]
        Resource = local.arns.sagemaker
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = local.arns.log_groups
      },
      {
        # For the demand forecast. Step Functions follows the jobs by the rule; the first job of an
        # account finds no log group.
        Sid    = "BatchTransforms"
        Effect = "Allow"
        Action = [
          "events:DescribeRule", "events:PutRule", "events:PutTargets",
          "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents",
          "sagemaker:AddTags", "sagemaker:CreateTransformJob", "sagemaker:DescribeTransformJob", "sagemaker:StopTransformJob",
        ]
        Resource = [
          "arn:${local.partition}:events:${local.regional}:rule/StepFunctionsGetEventsForSageMakerTransformJobsRule",
          "arn:${local.partition}:logs:${local.regional}:log-group:/aws/sagemaker/TransformJobs*",
          "arn:${local.partition}:sagemaker:${local.regional}:transform-job/${local.prefix}-demand-*",
        ]
      },
      {
        Sid      = "RollbackAlarms"
        Effect   = "Allow"
        Action   = "cloudwatch:DescribeAlarms"
        Resource = local.arns.alarms
      },
      {
        # Model images may come from another environment's or account's repository.
        Sid      = "Images"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = "arn:${local.partition}:ecr:*:*:repository/*"
      },
      {
        # Metrics, traces, registry tokens and vended logs have no resource to name.
        Sid    = "WithoutResource"
        Effect = "Allow"
        Action = [
          "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken", "logs:CreateLogDelivery", "logs:DeleteLogDelivery",
          "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries",
          "logs:PutResourcePolicy", "logs:UpdateLogDelivery", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        ]
        Resource = "*"
      },
    ]
  })
}
