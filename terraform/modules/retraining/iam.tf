locals {
  statements = {
    machine = [
      {
        Sid      = "LookForOtherRuns"
        Action   = ["states:ListExecutions"]
        Resource = [local.arns.state_machine]
      },
      {
        Sid       = "LookForAnswers"
        Action    = ["s3:ListBucket"]
        Resource  = [local.arns.data]
        Condition = { StringLike = { "s3:prefix" = ["labels/*"] } }
      },
      {
        Sid      = "ExchangeSummaries"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${local.arns.artifacts}/retraining/*"]
      },
      {
        Sid      = "RegisterCandidate"
        Action   = ["sagemaker:CreateModelPackage"]
        Resource = [local.arns.group, local.arns.package]
      },
      {
        Sid      = "NotifyPeople"
        Action   = ["sns:Publish"]
        Resource = [var.topic_arn]
      },
      {
        Sid      = "UseKey"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        Resource = [var.environment.kms_key_arn]
      },
    ]

    jobs = [
      {
        Sid      = "ReadData"
        Action   = ["s3:GetObject"]
        Resource = ["${local.arns.data}/dataset/*", "${local.arns.data}/labels/*"]
      },
      {
        Sid       = "ListData"
        Action    = ["s3:ListBucket"]
        Resource  = [local.arns.data]
        Condition = { StringLike = { "s3:prefix" = ["dataset/*", "labels/*"] } }
      },
      {
        Sid      = "WriteDataset"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = ["${local.arns.data}/dataset/*"]
      },
      {
        Sid      = "ReadModels"
        Action   = ["s3:GetObject"]
        Resource = ["${local.arns.artifacts}/model/*"]
      },
      {
        Sid       = "ListModels"
        Action    = ["s3:ListBucket"]
        Resource  = [local.arns.artifacts]
        Condition = { StringLike = { "s3:prefix" = ["model/*"] } }
      },
      {
        Sid      = "WriteResults"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = ["${local.arns.artifacts}/model/*", "${local.arns.artifacts}/retraining/*"]
      },
    ]
  }
}
