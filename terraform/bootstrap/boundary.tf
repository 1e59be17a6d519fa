# The maximum permissions of any role of the environment, whatever its own policy says. The own
# policy of each role is narrower.

locals {
  # A role has one boundary of at most 6,144 characters, too few to name each kind of resource; the
  # actions limit the kinds.
  any_sagemaker = "arn:${local.partition}:sagemaker:${local.regional}:*/${local.prefix}-*"

  job_kinds = ["Processing", "Training", "Transform"]

  boundary = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions", "s3:ListMultipartUploadParts", "s3:PutObject"]
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
        Resource = [local.arns.functions, local.any_sagemaker]
      },
      {
        # A Map Run starts and stops executions of its own state machine, the inbox starts
        # executions, and a retraining looks for others.
        Sid      = "Executions"
        Effect   = "Allow"
        Action   = ["states:DescribeExecution", "states:ListExecutions", "states:StartExecution", "states:StopExecution"]
        Resource = [local.arns.state_machines, local.arns.executions]
      },
      {
        Sid    = "Results"
        Effect = "Allow"
        Action = [
          "dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "events:PutEvents",
          "sns:Publish", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
        ]
        Resource = [local.arns.tables, local.arns.event_bus, local.arns.queues, local.arns.topics]
      },
      {
        # For the schedules that delete an endpoint for the night, and for the candidates of a
        # retraining. No role may approve a model package.
        Sid      = "EndpointsAndCandidates"
        Effect   = "Allow"
        Action   = ["sagemaker:AddTags", "sagemaker:CreateEndpoint", "sagemaker:CreateModelPackage", "sagemaker:DeleteEndpoint"]
        Resource = local.any_sagemaker
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = local.arns.log_groups
      },
      {
        # For state machines that run jobs, which Step Functions follows through EventBridge rules
        # that it manages.
        Sid    = "Jobs"
        Effect = "Allow"
        Action = concat(
          ["events:DescribeRule", "events:PutRule", "events:PutTargets", "sagemaker:AddTags"],
          flatten([for kind in local.job_kinds : [for verb in ["Create", "Describe", "Stop"] : "sagemaker:${verb}${kind}Job"]]),
        )
        Resource = flatten([
          for kind in local.job_kinds : [
            "arn:${local.partition}:events:${local.regional}:rule/StepFunctionsGetEventsForSageMaker${kind}JobsRule",
            "arn:${local.partition}:sagemaker:${local.regional}:${lower(kind)}-job/${local.prefix}-*",
          ]
        ])
      },
      {
        # The first job of an account creates its log group.
        Sid      = "JobLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = [for kind in local.job_kinds : "arn:${local.partition}:logs:${local.regional}:log-group:/aws/sagemaker/${kind}Jobs*"]
      },
      {
        # Only roles of jobs, which have this boundary too.
        Sid       = "HandRoleToJobs"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = "arn:${local.partition}:iam::${var.account_id}:role/${local.prefix}-*-jobs"
        Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      },
      {
        # The daily report reads which share of the requests is captured.
        Sid      = "CaptureSettings"
        Effect   = "Allow"
        Action   = ["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig"]
        Resource = local.any_sagemaker
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
          "cloudwatch:GetMetricData", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken", "logs:CreateLogDelivery", "logs:DeleteLogDelivery",
          "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries",
          "logs:PutResourcePolicy", "logs:UpdateLogDelivery", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        ]
        Resource = "*"
      },
    ]
  })
}
