# The least that an environment sets: a real-time endpoint of one instance, all else by default.
environment = "example"

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
