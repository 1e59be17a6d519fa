# Run once for each example: terraform test -test-directory=examples -var-file=examples/minimal/env.tfvars

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  lambda_dir = "./tests/fixtures/lambda"
}

run "plans" {
  command = plan

  assert {
    condition     = output.endpoint_name == (var.serving.mode == "serverless" ? "scones-example-serverless" : "scones-example-classifier")
    error_message = "An example serves its release."
  }

  assert {
    condition     = module.endpoint[var.serving.mode].traffic_routing == (var.rollout.strategy == "canary" ? "CANARY" : "ALL_AT_ONCE")
    error_message = "Only the canary sends part of the traffic first."
  }

  assert {
    condition     = output.threshold == 0.97 && output.labels == tolist(["bicycle", "motorcycle"])
    error_message = "Threshold and labels are the release's."
  }
}
