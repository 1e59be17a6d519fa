# A release takes half of the traffic first, and is rolled back by latency or low confidence.
environment = "example"

rollout = {
  strategy            = "canary"
  bake_seconds        = 600
  termination_seconds = 600
  max_latency_ms      = 500
  max_review_percent  = 40
}

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
    instance_count = 2
  }
}
active_release = "one"
