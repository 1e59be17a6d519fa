mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix             = "scones-dev"
  account_id         = "123456789012"
  region             = "us-east-1"
  partition          = "aws"
  definition_path    = "./definitions/retrain.asl.json"
  training_image     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-training"
  instance_type      = "ml.m5.xlarge"
  hyperparameters    = { recipe = "scratch" }
  quality            = { min_accuracy = 0.9 }
  schedule           = { expression = "rate(1 day)", min_new_images = 50 }
  alarms             = { names = ["scones-dev-low-confidence"], min_new_images = 20 }
  buckets            = { data = "scones-dev-data-123456789012", artifacts = "scones-dev-artifacts-123456789012" }
  model_group        = "scones-dev-candidates"
  repository_arns    = ["arn:aws:ecr:us-east-1:123456789012:repository/scones-dev-model"]
  bus_name           = "scones-dev"
  topic_arn          = "arn:aws:sns:us-east-1:123456789012:scones-dev-alarms"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  tags               = { Stack = "scones-dev" }
  log_retention_days = 30
  release = {
    image           = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
    model_data_url  = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
    dataset_version = "0123456789ab"
    threshold       = 0.97
  }
}

run "definition_is_rendered" {
  module {
    source = "./modules/retraining"
  }

  assert {
    condition     = !strcontains(output.definition, "$${")
    error_message = "No placeholder may be left."
  }

  assert {
    condition     = jsondecode(output.definition).States.Train.Arguments.HyperParameters == "{% {\"recipe\":\"scratch\"} %}"
    error_message = "Hyperparameters must reach the job as a JSONata expression of JSON."
  }

  assert {
    condition     = jsondecode(jsondecode(output.definition).States.Compare.Arguments.Environment.QUALITY).min_accuracy == 0.9
    error_message = "The limits must reach the gate."
  }

  assert {
    condition     = alltrue([for state in values(jsondecode(output.definition).States) : state.TimeoutSeconds < jsondecode(output.definition).TimeoutSeconds if state.Type == "Task"])
    error_message = "Every step must time out before the execution does."
  }

  # What deploys is Terraform, by a release that was reviewed.
  assert {
    condition = alltrue([
      for policy in values(output.policies) : !strcontains(policy, "Endpoint") && !strcontains(policy, "sagemaker:UpdateModelPackage")
    ])
    error_message = "A retraining may neither touch an endpoint nor approve a candidate."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_target.alarms["this"].input_transformer[0].input_template).min_new_images == 20
    error_message = "An alarm starts a run with the images that it needs."
  }
}

run "nothing_starts_it_by_itself" {
  command = plan

  module {
    source = "./modules/retraining"
  }

  variables {
    schedule = null
    alarms   = { names = [], min_new_images = 20 }
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && length(aws_cloudwatch_event_rule.alarms) == 0
    error_message = "Without schedule and alarms only a person starts it."
  }
}
