# A second release answers a fifth of the requests, to see by labels which of the two is better.
environment = "example"

alarms = {
  email              = "team@example.com"
  monthly_budget_usd = 400
}

releases = {
  one = {
    image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-example-model:1.0.0"
    model_data_url = "s3://scones-example-artifacts-123456789012/model/job-1/output/model.tar.gz"
    model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
    threshold      = 0.97
    labels         = ["bicycle", "motorcycle"]
  }
  two = {
    image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-example-model:1.0.0"
    model_data_url = "s3://scones-example-artifacts-123456789012/model/job-2/output/model.tar.gz"
    model_sha256   = "2222222222222222222222222222222222222222222222222222222222222222"
    threshold      = 0.95
    labels         = ["bicycle", "motorcycle"]
  }
}
active_release = "one"
challenger     = { release = "two", share = 0.2 }
