locals {
  trace = {
    # X-Ray has no resource that a policy could name.
    Sid      = "Trace"
    Effect   = "Allow"
    Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    Resource = "*"
  }

  # The log groups are declared, so no role may create one: a group that Terraform does not know
  # would outlive destroy and never expire.
  log = {
    for key, arn in var.arns.log_groups : key => {
      Sid    = "Log"
      Effect = "Allow"
      # SageMaker's agent looks for its stream before it makes one; Lambda's does not.
      Action = concat(
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        contains(keys(var.arns.functions), key) ? [] : ["logs:DescribeLogStreams"],
      )
      Resource = "${arn}:*"
    }
  }

  read_key = {
    Sid      = "ReadEncrypted"
    Effect   = "Allow"
    Action   = "kms:Decrypt"
    Resource = var.kms_key_arn
  }

  read_images = {
    Sid      = "ReadImages"
    Effect   = "Allow"
    Action   = ["s3:GetObject", "s3:GetObjectVersion"]
    Resource = "${var.arns.buckets["data"]}/*"
  }

  tell_missing_images = {
    # Without it S3 answers 403 for a key that does not exist, which looks like a missing permission.
    Sid      = "DistinguishMissingImages"
    Effect   = "Allow"
    Action   = "s3:ListBucket"
    Resource = var.arns.buckets["data"]
  }

  classify = {
    Sid      = "Classify"
    Effect   = "Allow"
    Action   = "sagemaker:InvokeEndpoint"
    Resource = [for mode in setintersection(var.serving_modes, ["realtime", "serverless"]) : var.arns.endpoints[mode]]
  }

  # The newest assignments, read while a class is rolled out, and those too long for a variable.
  read_assignments = {
    Sid      = "ReadAssignments"
    Effect   = "Allow"
    Action   = "s3:GetObject"
    Resource = "${var.arns.buckets["data"]}/assignments/*"
  }

  record = [
    {
      Sid      = "WriteRows"
      Effect   = "Allow"
      Action   = ["dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"]
      Resource = var.arns.assignments
    },
    {
      Sid      = "PublishEvents"
      Effect   = "Allow"
      Action   = "events:PutEvents"
      Resource = var.arns.event_bus
    },
    {
      Sid      = "AskForReview"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = var.arns.queues["review"]
    },
    {
      Sid      = "SendDeadLetters"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = var.arns.queues["dead_letters"]
    },
    {
      # The bucket and the table encrypt with the environment's key.
      Sid      = "UseKey"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      Resource = var.kms_key_arn
    },
    {
      Sid      = "WriteResults"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${var.arns.buckets["data"]}/runs/*"
    },
  ]

  function_statements = {
    serialize_image = [local.log["serialize_image"], local.trace, local.read_key, local.read_images, local.tell_missing_images]
    classify_image = [
      local.log["classify_image"], local.trace, local.read_key, local.read_images, local.tell_missing_images, local.classify,
    ]
    filter_inferences = [local.log["filter_inferences"], local.trace, local.read_key, local.read_assignments]
    classify_batch = concat(
      [local.log["classify_batch"], local.trace, local.read_images, local.tell_missing_images, local.classify],
      local.record,
    )
    record_results = concat([local.log["record_results"], local.trace], local.record, [
      {
        Sid      = "ReadMapRuns"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${var.arns.buckets["data"]}/runs/*"
      },
    ])
    collect_inbox = [
      local.log["collect_inbox"], local.trace,
      {
        Sid      = "TakeMessages"
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = var.arns.queues["inbox"]
      },
      {
        Sid      = "PutAside"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = var.arns.queues["inbox_dead_letters"]
      },
      {
        Sid      = "StartWorkflow"
        Effect   = "Allow"
        Action   = "states:StartExecution"
        Resource = var.arns.state_machine
      },
      {
        Sid      = "WriteManifests"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${var.arns.buckets["data"]}/runs/*"
      },
      {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.kms_key_arn
      },
    ]
  }
}

locals {
  use_key = {
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"]
    Resource = var.kms_key_arn
  }

  encrypt_volumes = {
    # SageMaker uses the key for the volumes of its instances, only through a grant.
    Sid       = "EncryptVolumes"
    Effect    = "Allow"
    Action    = "kms:CreateGrant"
    Resource  = var.kms_key_arn
    Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
  }

  pull_image = [
    {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = concat([var.arns.repository], var.model_repository_arns)
    },
    {
      # The token is the whole registry's; it has no resource.
      Sid      = "RegistryToken"
      Effect   = "Allow"
      Action   = "ecr:GetAuthorizationToken"
      Resource = "*"
    },
  ]

  # PutMetricData has no resource; the namespace bounds it.
  metric_namespaces = {
    endpoint = "/aws/sagemaker/Endpoints"
    training = "/aws/sagemaker/TrainingJobs"
    workflow = var.metric_namespace
  }

  put_metrics = {
    for key, namespace in local.metric_namespaces : key => {
      Sid       = "PutMetrics"
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = namespace } }
    }
  }

  read_models = [
    {
      Sid      = "ReadModels"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${var.arns.buckets["artifacts"]}/model/*"
    },
    {
      Sid       = "ListModels"
      Effect    = "Allow"
      Action    = "s3:ListBucket"
      Resource  = var.arns.buckets["artifacts"]
      Condition = { StringLike = { "s3:prefix" = ["model/*"] } }
    },
  ]

  serve_asynchronously = !contains(var.serving_modes, "async") ? [] : [
    {
      Sid      = "ReadRequests"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${var.arns.buckets["data"]}/*"
    },
    {
      Sid      = "WriteAnswers"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${var.arns.buckets["capture"]}/async/*"
    },
  ]

  service_statements = {
    workflow = [
      local.trace, local.put_metrics["workflow"],
      {
        Sid      = "RunFunctions"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = [for key, arn in var.arns.functions : "${arn}:${var.alias}" if key != "collect_inbox"]
      },
      {
        # Batches are child executions of the same state machine.
        Sid      = "StartBatches"
        Effect   = "Allow"
        Action   = "states:StartExecution"
        Resource = var.arns.state_machine
      },
      {
        Sid      = "StopBatches"
        Effect   = "Allow"
        Action   = ["states:DescribeExecution", "states:StopExecution"]
        Resource = "${var.arns.executions}*"
      },
      {
        Sid      = "ReadManifests"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${var.arns.buckets["data"]}/*"
      },
      {
        Sid      = "ListImages"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = var.arns.buckets["data"]
      },
      {
        # A large result is written in parts.
        Sid      = "WriteMapRuns"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource = "${var.arns.buckets["data"]}/runs/*"
      },
      {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.kms_key_arn
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

    endpoint = concat(local.read_models, local.pull_image, local.serve_asynchronously, [
      merge(local.log["realtime"], { Resource = [for mode in var.serving_modes : local.log[mode].Resource] }), local.use_key, local.encrypt_volumes, local.put_metrics["endpoint"],
      {
        # SageMaker reads the rollback alarms of a rollout with this role.
        Sid      = "ReadRollbackAlarms"
        Effect   = "Allow"
        Action   = "cloudwatch:DescribeAlarms"
        Resource = "${var.arns.alarms}*"
      },
      {
        Sid      = "WriteCapture"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${var.arns.buckets["capture"]}/capture/*"
      },
    ])

    training = concat(local.pull_image, [
      local.log["training"], local.use_key, local.encrypt_volumes, local.put_metrics["training"],
      {
        Sid      = "ReadDataset"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${var.arns.buckets["data"]}/dataset/*"
      },
      {
        Sid       = "ListDataset"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = var.arns.buckets["data"]
        Condition = { StringLike = { "s3:prefix" = ["dataset/*"] } }
      },
      {
        Sid      = "WriteModels"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = "${var.arns.buckets["artifacts"]}/model/*"
      },
      {
        # SageMaker copies them with the job's role, to the bucket and to the next instance.
        Sid      = "KeepCheckpoints"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = "${var.arns.buckets["artifacts"]}/checkpoints/*"
      },
      {
        Sid       = "ListCheckpoints"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = var.arns.buckets["artifacts"]
        Condition = { StringLike = { "s3:prefix" = ["checkpoints/*"] } }
      },
    ])
  }
}

locals {
  off_hours_statements = !var.deletes_endpoint ? {} : {
    off_hours = [
      {
        Sid      = "DeleteEndpoint"
        Effect   = "Allow"
        Action   = "sagemaker:DeleteEndpoint"
        Resource = var.arns.endpoints["realtime"]
      },
      {
        # SageMaker asks for both: what is created, and what it is created from.
        Sid      = "CreateEndpoint"
        Effect   = "Allow"
        Action   = "sagemaker:CreateEndpoint"
        Resource = [var.arns.endpoints["realtime"], var.arns.endpoint_configurations["realtime"]]
      },
      {
        Sid      = "TagEndpoint"
        Effect   = "Allow"
        Action   = "sagemaker:AddTags"
        Resource = var.arns.endpoints["realtime"]
      },
      local.encrypt_volumes,
      {
        # The schedules' input and the queue are encrypted.
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        Resource = var.kms_key_arn
      },
      {
        Sid      = "ReportFailures"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = var.arns.off_hours_queue
      },
    ]
  }
}
