# Without an instance: paid for by the request, and without capture, canary and rollback alarms.
environment     = "example"
capture_percent = 0

serving = {
  mode = "serverless"

  serverless = {
    memory_mb       = 3072
    max_concurrency = 20
  }
}

releases = {
  one = {
    image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-example-model:1.0.0"
    model_data_url = "s3://scones-example-artifacts-123456789012/model/job-1/output/model.tar.gz"
    model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
    threshold      = 0.97
    labels         = ["bicycle", "motorcycle"]
  }
}
active_release = "one"
