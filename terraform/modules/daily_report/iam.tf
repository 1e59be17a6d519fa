locals {
  statements = {
    machine = [
      {
        Sid      = "ReadSummaries"
        Action   = ["s3:GetObject"]
        Resource = ["${local.data}/monitoring/*/summary.json"]
      },
      {
        Sid      = "UseKey"
        Action   = ["kms:Decrypt"]
        Resource = [var.environment.kms_key_arn]
      },
    ]

    jobs = [
      {
        Sid      = "ReadRecords"
        Action   = ["s3:GetObject"]
        Resource = [local.records]
      },
      {
        Sid       = "ListRecords"
        Action    = ["s3:ListBucket"]
        Resource  = ["${local.aws}:s3:::${local.capture[0]}"]
        Condition = { StringLike = { "s3:prefix" = [local.prefix] } }
      },
      {
        # The summaries of earlier days name the reference of an ongoing drift.
        Sid      = "ReadSettingsAndLabels"
        Action   = ["s3:GetObject"]
        Resource = ["${local.data}/${local.settings_key}", "${local.data}/labels/*", "${local.data}/monitoring/*/summary.json", "${local.data}/samples/*"]
      },
      {
        Sid       = "ListSettingsAndLabels"
        Action    = ["s3:ListBucket"]
        Resource  = [local.data]
        Condition = { StringLike = { "s3:prefix" = [local.settings_key, "labels/*", "monitoring/*", "samples/*"] } }
      },
      {
        # The versions of two objects say which release answered when.
        Sid      = "ReadReleases"
        Action   = ["s3:GetObjectVersion"]
        Resource = ["${local.data}/daily-report/*-release.json"]
      },
      {
        Sid       = "ListReleases"
        Action    = ["s3:ListBucketVersions"]
        Resource  = [local.data]
        Condition = { StringLike = { "s3:prefix" = ["daily-report/*"] } }
      },
      {
        Sid      = "WriteReport"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = ["${local.data}/monitoring/*"]
      },
      {
        # The share of requests that is captured is in the endpoint's configuration.
        Sid      = "ReadEndpoint"
        Action   = ["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig"]
        Resource = [var.endpoint_arns.endpoint, var.endpoint_arns.configuration]
      },
      {
        # Metrics have no resource.
        Sid      = "ReadMetrics"
        Action   = ["cloudwatch:GetMetricData"]
        Resource = ["*"]
      },
      {
        Sid       = "PublishFigures"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = ["*"]
        Condition = { StringEquals = { "cloudwatch:namespace" = [var.metric_namespace] } }
      },
    ]
  }
}
