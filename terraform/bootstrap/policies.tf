# Permissions of the two roles, limited to the names that the environment's Terraform gives. An
# action without a name or a condition has its own statement with the reason.

locals {
  prefix = "${var.project}-${var.environment}"
  path   = "/ci/"

  partition = data.aws_partition.this.partition
  regional  = "${var.region}:${var.account_id}"
  state_arn = "arn:${local.partition}:s3:::${local.bucket}"
  state_key = "${var.project}/${var.environment}/terraform.tfstate"

  # A name that ends in a star also matches its versions and streams, which follow a colon.
  arns = {
    buckets = [
      for purpose in ["data", "artifacts", "capture", "logs"] :
      "arn:${local.partition}:s3:::${local.prefix}-${purpose}-${var.account_id}"
    ]
    labels         = [for name in ["assignments", "daily-report", "labels"] : "arn:${local.partition}:s3:::${local.prefix}-data-${var.account_id}/${name}/*"]
    models         = "arn:${local.partition}:s3:::${local.prefix}-artifacts-${var.account_id}/model/*"
    proposals      = "arn:${local.partition}:s3:::${local.prefix}-artifacts-${var.account_id}/retraining/proposals/*"
    roles          = "arn:${local.partition}:iam::${var.account_id}:role/${local.prefix}-*"
    functions      = "arn:${local.partition}:lambda:${local.regional}:function:${local.prefix}-*"
    state_machines = "arn:${local.partition}:states:${local.regional}:stateMachine:${local.prefix}-*"
    executions     = "arn:${local.partition}:states:${local.regional}:execution:${local.prefix}-*"
    repository     = "arn:${local.partition}:ecr:${local.regional}:repository/${local.prefix}-*"
    topics         = "arn:${local.partition}:sns:${local.regional}:${local.prefix}-*"
    queues         = "arn:${local.partition}:sqs:${local.regional}:${local.prefix}-*"
    tables         = "arn:${local.partition}:dynamodb:${local.regional}:table/${local.prefix}-*"
    event_rules    = "arn:${local.partition}:events:${local.regional}:rule/${local.prefix}-*"
    event_bus      = "arn:${local.partition}:events:${local.regional}:event-bus/${local.prefix}"
    mappings       = "arn:${local.partition}:lambda:${local.regional}:event-source-mapping:*"
    budgets        = "arn:${local.partition}:budgets::${var.account_id}:budget/${local.prefix}"
    scaling        = "arn:${local.partition}:application-autoscaling:${local.regional}:scalable-target/*"
    schedules = [
      "arn:${local.partition}:scheduler:${local.regional}:schedule-group/${local.prefix}-*",
      "arn:${local.partition}:scheduler:${local.regional}:schedule/*/${local.prefix}-*",
    ]
    alarms     = "arn:${local.partition}:cloudwatch:${local.regional}:alarm:${local.prefix}-*"
    dashboards = "arn:${local.partition}:cloudwatch::${var.account_id}:dashboard/${local.prefix}*"
    key_alias  = "arn:${local.partition}:kms:${local.regional}:alias/${local.prefix}"
    keys       = "arn:${local.partition}:kms:${local.regional}:key/*"
    sagemaker = [
      for kind in ["model", "model-package", "model-package-group", "endpoint-config", "endpoint"] :
      "arn:${local.partition}:sagemaker:${local.regional}:${kind}/${local.prefix}-*"
    ]
    log_groups = [
      for name in [
        "/aws/lambda/${local.prefix}-*", "/aws/vendedlogs/states/${local.prefix}-*",
        "/aws/sagemaker/Endpoints/${local.prefix}-*", "/aws/sagemaker/TrainingJobs*",
      ] : "arn:${local.partition}:logs:${local.regional}:log-group:${name}"
    ]
  }

  boundary_arn = "arn:${local.partition}:iam::${var.account_id}:policy${local.path}${local.prefix}-boundary"

  # The provider tags a key when it creates it; from then on the tags show whose it is.
  tagged = {
    resource = { for key, value in local.tags : "aws:ResourceTag/${key}" => value }
    request  = { for key, value in local.tags : "aws:RequestTag/${key}" => value }
  }
  tags = { Project = var.project, Environment = var.environment }
}

locals {
  read_state = [
    {
      # "env:/" is where the backend looks for workspaces.
      Sid       = "FindState"
      Effect    = "Allow"
      Action    = "s3:ListBucket"
      Resource  = local.state_arn
      Condition = { StringLike = { "s3:prefix" = ["env:/", "${local.state_key}*"] } }
    },
    {
      Sid      = "ReadState"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${local.state_arn}/${local.state_key}"
    },
    {
      # The lock is an object next to the state. A plan takes it too, so that it does not read a
      # state while an apply writes it.
      Sid      = "LockState"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      Resource = "${local.state_arn}/${local.state_key}.tflock"
    },
  ]

  read_environment = [
    {
      Sid      = "ReadBuckets"
      Effect   = "Allow"
      Action   = ["s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket"]
      Resource = local.arns.buckets
    },
    {
      Sid      = "ReadModels"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = [local.arns.models, local.arns.proposals]
    },
    {
      # Class names and assignments that are too long for a function's variables, and what the
      # daily report's job reads.
      Sid      = "ReadLabels"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectTagging"]
      Resource = local.arns.labels
    },
    {
      Sid       = "ReadEncryptedModels"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = local.arns.keys
      Condition = { StringEquals = local.tagged.resource }
    },
    {
      Sid       = "ReadKey"
      Effect    = "Allow"
      Action    = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
      Resource  = local.arns.keys
      Condition = { StringEquals = local.tagged.resource }
    },
    {
      Sid      = "ReadRoles"
      Effect   = "Allow"
      Action   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:ListRoleTags"]
      Resource = local.arns.roles
    },
    {
      Sid      = "ReadFunctions"
      Effect   = "Allow"
      Action   = ["lambda:GetAlias", "lambda:GetFunction*", "lambda:GetPolicy", "lambda:List*"]
      Resource = local.arns.functions
    },
    {
      Sid      = "ReadStateMachines"
      Effect   = "Allow"
      Action   = ["states:Describe*", "states:List*"]
      Resource = local.arns.state_machines
    },
    {
      Sid      = "ReadSageMaker"
      Effect   = "Allow"
      Action   = ["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel", "sagemaker:DescribeModelPackage", "sagemaker:DescribeModelPackageGroup", "sagemaker:ListTags"]
      Resource = local.arns.sagemaker
    },
    {
      Sid      = "ReadRepository"
      Effect   = "Allow"
      Action   = ["ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"]
      Resource = local.arns.repository
    },
    {
      Sid      = "ReadTopic"
      Effect   = "Allow"
      Action   = ["sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"]
      Resource = local.arns.topics
    },
    {
      Sid      = "ReadQueues"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
      Resource = local.arns.queues
    },
    {
      Sid      = "ReadTable"
      Effect   = "Allow"
      Action   = ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"]
      Resource = local.arns.tables
    },
    {
      Sid      = "ReadEvents"
      Effect   = "Allow"
      Action   = ["events:DescribeEventBus", "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"]
      Resource = [local.arns.event_rules, local.arns.event_bus]
    },
    {
      # AWS chooses a mapping's id; the statement ChangeMapping limits its functions.
      Sid      = "ReadMapping"
      Effect   = "Allow"
      Action   = ["lambda:GetEventSourceMapping", "lambda:ListTags"]
      Resource = local.arns.mappings
    },
    {
      Sid      = "ReadBudget"
      Effect   = "Allow"
      Action   = ["budgets:ListTagsForResource", "budgets:ViewBudget"]
      Resource = local.arns.budgets
    },
    {
      Sid      = "ReadSchedules"
      Effect   = "Allow"
      Action   = ["scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource"]
      Resource = local.arns.schedules
    },
    {
      Sid      = "ReadAlarms"
      Effect   = "Allow"
      Action   = ["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"]
      Resource = local.arns.alarms
    },
    {
      Sid      = "ReadDashboards"
      Effect   = "Allow"
      Action   = "cloudwatch:GetDashboard"
      Resource = local.arns.dashboards
    },
    {
      Sid      = "ReadLogGroupTags"
      Effect   = "Allow"
      Action   = ["logs:ListTagsForResource", "logs:ListTagsLogGroup"]
      Resource = local.arns.log_groups
    },
    {
      # These list a whole account or validate a text, so AWS has no resource to name. The provider
      # has Step Functions validate the definition in every plan.
      Sid    = "WithoutResource"
      Effect = "Allow"
      Action = [
        "application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies",
        "application-autoscaling:DescribeScheduledActions", "application-autoscaling:ListTagsForResource",
        "kms:ListAliases", "logs:DescribeLogGroups", "states:ValidateStateMachineDefinition",
      ]
      Resource = "*"
    },
  ]
}

locals {
  write_environment = [
    {
      Sid      = "WriteState"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${local.state_arn}/${local.state_key}"
    },
    {
      Sid    = "ChangeBuckets"
      Effect = "Allow"
      Action = [
        "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:ListBucketVersions", "s3:PutBucketLogging", "s3:PutBucketNotification",
        "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging",
        "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
      ]
      Resource = local.arns.buckets
    },
    {
      # For force_destroy, which prod does not set.
      Sid      = "EmptyBuckets"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource = [for arn in local.arns.buckets : "${arn}/*"]
    },
    {
      Sid      = "PromoteModels"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = local.arns.models
    },
    {
      Sid      = "WriteLabels"
      Effect   = "Allow"
      Action   = ["s3:PutObject", "s3:PutObjectTagging"]
      Resource = local.arns.labels
    },
    {
      Sid       = "CreateKey"
      Effect    = "Allow"
      Action    = "kms:CreateKey"
      Resource  = "*"
      Condition = { StringEquals = local.tagged.request }
    },
    {
      # A key's tags decide who may use it, so only a new key may be tagged: one with neither tags
      # nor an alias.
      Sid      = "TagNewKey"
      Effect   = "Allow"
      Action   = "kms:TagResource"
      Resource = local.arns.keys
      Condition = {
        StringEquals = local.tagged.request
        Null         = { for key in concat(keys(local.tagged.resource), ["kms:ResourceAliases"]) : key => "true" }
      }
    },
    {
      Sid       = "TagKey"
      Effect    = "Allow"
      Action    = "kms:TagResource"
      Resource  = local.arns.keys
      Condition = { StringEquals = merge(local.tagged.request, local.tagged.resource) }
    },
    {
      Sid    = "ChangeKey"
      Effect = "Allow"
      Action = [
        "kms:CreateAlias", "kms:DeleteAlias", "kms:DisableKeyRotation", "kms:EnableKeyRotation", "kms:Encrypt", "kms:GenerateDataKey",
        "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:UpdateAlias", "kms:UpdateKeyDescription",
      ]
      Resource  = local.arns.keys
      Condition = { StringEquals = local.tagged.resource }
    },
    {
      # Lambda and SageMaker use the key through a grant that the caller creates.
      Sid       = "GrantKeyToServices"
      Effect    = "Allow"
      Action    = "kms:CreateGrant"
      Resource  = local.arns.keys
      Condition = { StringEquals = local.tagged.resource, Bool = { "kms:GrantIsForAWSResource" = "true" } }
    },
    {
      Sid      = "NameKey"
      Effect   = "Allow"
      Action   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
      Resource = local.arns.key_alias
    },
    {
      # A role without the boundary can neither be created nor get permissions.
      Sid       = "WriteBoundedRoles"
      Effect    = "Allow"
      Action    = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = local.arns.roles
      Condition = { StringEquals = { "iam:PermissionsBoundary" = local.boundary_arn } }
    },
    {
      Sid      = "ChangeRoles"
      Effect   = "Allow"
      Action   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
      Resource = local.arns.roles
    },
    {
      Sid       = "PassRoles"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = local.arns.roles
      Condition = { StringEquals = { "iam:PassedToService" = ["events.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"] } }
    },
    {
      Sid    = "ChangeFunctions"
      Effect = "Allow"
      Action = [
        "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction",
        "lambda:DeleteFunctionConcurrency", "lambda:PublishVersion", "lambda:PutFunctionConcurrency", "lambda:TagResource",
        "lambda:UntagResource", "lambda:UpdateAlias", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
      ]
      Resource = local.arns.functions
    },
    {
      Sid    = "ChangeStateMachines"
      Effect = "Allow"
      Action = [
        "states:CreateStateMachine", "states:CreateStateMachineAlias", "states:DeleteStateMachine",
        "states:DeleteStateMachineAlias", "states:DeleteStateMachineVersion", "states:PublishStateMachineVersion",
        "states:TagResource", "states:UntagResource", "states:UpdateStateMachine", "states:UpdateStateMachineAlias",
      ]
      Resource = local.arns.state_machines
    },
    {
      Sid    = "ChangeSageMaker"
      Effect = "Allow"
      Action = [
        "sagemaker:AddTags", "sagemaker:CreateEndpoint", "sagemaker:CreateEndpointConfig", "sagemaker:CreateModel",
        "sagemaker:CreateModelPackageGroup", "sagemaker:DeleteEndpoint", "sagemaker:DeleteEndpointConfig", "sagemaker:DeleteModel",
        "sagemaker:DeleteModelPackage", "sagemaker:DeleteModelPackageGroup", "sagemaker:DeleteTags",
        "sagemaker:ListModelPackages", "sagemaker:UpdateEndpoint", "sagemaker:UpdateModelPackage",
      ]
      Resource = local.arns.sagemaker
    },
    {
      # After an apply the golden samples are sent through the endpoint.
      Sid      = "ScoreGoldenSamples"
      Effect   = "Allow"
      Action   = "sagemaker:InvokeEndpoint"
      Resource = "arn:${local.partition}:sagemaker:${local.regional}:endpoint/${local.prefix}-*"
    },
    {
      Sid      = "ChangeRepository"
      Effect   = "Allow"
      Action   = ["ecr:CreateRepository", "ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy", "ecr:TagResource", "ecr:UntagResource"]
      Resource = local.arns.repository
    },
    {
      Sid      = "ChangeTopic"
      Effect   = "Allow"
      Action   = ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetSubscriptionAttributes", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe", "sns:UntagResource"]
      Resource = local.arns.topics
    },
    {
      Sid      = "ChangeQueues"
      Effect   = "Allow"
      Action   = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"]
      Resource = local.arns.queues
    },
    {
      Sid      = "ChangeTable"
      Effect   = "Allow"
      Action   = ["dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable"]
      Resource = local.arns.tables
    },
    {
      Sid    = "ChangeEvents"
      Effect = "Allow"
      Action = [
        "events:CreateEventBus", "events:DeleteEventBus", "events:DeleteRule", "events:PutRule", "events:PutTargets",
        "events:RemoveTargets", "events:TagResource", "events:UntagResource",
      ]
      Resource = [local.arns.event_rules, local.arns.event_bus]
    },
    {
      # A mapping has no name; the condition limits it to the environment's functions.
      Sid       = "ChangeMapping"
      Effect    = "Allow"
      Action    = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
      Resource  = "*"
      Condition = { ArnLike = { "lambda:FunctionArn" = local.arns.functions } }
    },
    {
      Sid      = "TagMapping"
      Effect   = "Allow"
      Action   = ["lambda:TagResource", "lambda:UntagResource"]
      Resource = local.arns.mappings
    },
    {
      Sid      = "ChangeBudget"
      Effect   = "Allow"
      Action   = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"]
      Resource = local.arns.budgets
    },
    {
      Sid    = "ChangeSchedules"
      Effect = "Allow"
      Action = [
        "scheduler:CreateSchedule", "scheduler:CreateScheduleGroup", "scheduler:DeleteSchedule", "scheduler:DeleteScheduleGroup",
        "scheduler:TagResource", "scheduler:UntagResource", "scheduler:UpdateSchedule",
      ]
      Resource = local.arns.schedules
    },
    {
      # A target's ARN ends in letters that AWS chooses; the condition limits it to variants of
      # SageMaker's endpoints.
      Sid    = "ChangeScaling"
      Effect = "Allow"
      Action = [
        "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeleteScheduledAction",
        "application-autoscaling:DeregisterScalableTarget", "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:PutScheduledAction", "application-autoscaling:RegisterScalableTarget",
      ]
      Resource  = local.arns.scaling
      Condition = { StringEquals = { "application-autoscaling:service-namespace" = "sagemaker" } }
    },
    {
      Sid      = "TagScaling"
      Effect   = "Allow"
      Action   = ["application-autoscaling:TagResource", "application-autoscaling:UntagResource"]
      Resource = local.arns.scaling
    },
    {
      # AWS creates this role with the first endpoint of the account that scales.
      Sid       = "LinkScalingRole"
      Effect    = "Allow"
      Action    = "iam:CreateServiceLinkedRole"
      Resource  = "arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"
      Condition = { StringEquals = { "iam:AWSServiceName" = "sagemaker.application-autoscaling.amazonaws.com" } }
    },
    {
      Sid      = "ChangeAlarms"
      Effect   = "Allow"
      Action   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"]
      Resource = local.arns.alarms
    },
    {
      Sid      = "ChangeDashboards"
      Effect   = "Allow"
      Action   = ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"]
      Resource = local.arns.dashboards
    },
    {
      Sid    = "ChangeLogGroups"
      Effect = "Allow"
      Action = [
        "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy",
        "logs:DisassociateKmsKey", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
      ]
      Resource = local.arns.log_groups
    },
    {
      # Vended log delivery belongs to the account; Step Functions documents "*" for who creates
      # a state machine that logs.
      Sid    = "DeliverLogs"
      Effect = "Allow"
      Action = [
        "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
        "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
      ]
      Resource = "*"
    },
  ]

  statements = {
    read  = concat(local.read_state, local.read_environment)
    write = local.write_environment
  }

  # A managed policy has at most 6,144 characters, and a role at most ten policies. Statements
  # contain the environment's names, whose length decides the number of policies: a new one begins
  # after each `max_start` characters, and no statement has more than 1,100.
  max_start = 4800
  starts = {
    for kind, statements in local.statements : kind => [
      for index in range(length(statements)) :
      sum(concat([0], [for statement in slice(statements, 0, index) : length(jsonencode(statement)) + 1]))
    ]
  }
  policies = merge([
    for kind, statements in local.statements : {
      for number in range(1 + floor(local.starts[kind][length(statements) - 1] / local.max_start)) :
      "${kind}-${number + 1}" => jsonencode({
        Version   = "2012-10-17"
        Statement = [for index, statement in statements : statement if floor(local.starts[kind][index] / local.max_start) == number]
      })
    }
  ]...)
  roles_of = { read = ["plan", "apply"], write = ["apply"] }
}
