locals {
  statements = {
    machine = []

    jobs = [
      {
        Sid    = "ReadModelAndHours"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:${var.environment.partition}:s3:::${trimprefix(try(var.model.model_data_url, ""), "s3://")}",
          "${local.data}/demand/input/*",
        ]
      },
      {
        Sid       = "ListHours"
        Action    = ["s3:ListBucket"]
        Resource  = [local.data]
        Condition = { StringLike = { "s3:prefix" = ["demand/input/*"] } }
      },
      {
        Sid      = "WriteForecasts"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = ["${local.data}/demand/forecasts/*"]
      },
    ]
  }
}
