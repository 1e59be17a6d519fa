mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = {
    prefix             = "scones-dev"
    account_id         = "123456789012"
    region             = "us-east-1"
    partition          = "aws"
    buckets            = { data = "scones-dev-data-123456789012", artifacts = "scones-dev-artifacts-123456789012" }
    repository_arns    = ["arn:aws:ecr:us-east-1:123456789012:repository/scones-dev-model"]
    bus_name           = "scones-dev"
    kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    tags               = { Stack = "scones-dev" }
    log_retention_days = 30
  }
  definition_path = "./definitions/retrain.asl.json"
  training_image  = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-training"
  instance_type   = "ml.m5.xlarge"
  hyperparameters = { recipe = "scratch" }
  quality         = { min_accuracy = 0.9 }
  schedule        = { expression = "rate(1 day)", min_new_images = 50 }
  alarms          = { names = ["scones-dev-low-confidence"], min_new_images = 20 }
  model_group     = "scones-dev-candidates"
  topic_arn       = "arn:aws:sns:us-east-1:123456789012:scones-dev-alarms"
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
    condition     = alltrue([for state in values(jsondecode(output.definition).States) : length(state.Retry) > 0 if state.Type == "Task"])
    error_message = "A throttled call must not fail the execution."
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

  # Only Terraform deploys, from a reviewed release.
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
    condition     = output.schedule == null && length(aws_cloudwatch_event_rule.alarms) == 0
    error_message = "Without schedule and alarms only a person starts it."
  }
}

run "volumes_are_encrypted_where_the_instances_take_a_key" {
  module {
    source = "./modules/retraining"
  }

  assert {
    condition = alltrue([
      for resources in [
        jsondecode(output.definition).States.AssembleDataset.Arguments.ProcessingResources.ClusterConfig,
        jsondecode(output.definition).States.Train.Arguments.ResourceConfig,
        jsondecode(output.definition).States.Compare.Arguments.ProcessingResources.ClusterConfig,
      ] : jsondecode(trimsuffix(trimprefix(resources, "{% "), " %}")) == { InstanceType = "ml.m5.xlarge", InstanceCount = 1, VolumeSizeInGB = 30, VolumeKmsKeyId = var.environment.kms_key_arn }
    ])
    error_message = "Each job's volume must have the environment's key."
  }
}

run "instances_with_local_storage_take_no_key" {
  module {
    source = "./modules/retraining"
  }

  variables {
    instance_type = "ml.g4dn.xlarge"
  }

  assert {
    condition     = !strcontains(output.definition, "VolumeKmsKeyId")
    error_message = "SageMaker refuses a volume key for types with local NVMe storage."
  }
}
