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
    tags               = { Owner = "the \"demand\" team" }
    log_retention_days = 30
  }
  definition_path = "./definitions/demand_forecast.asl.json"
  model = {
    image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
    model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
  }
  instance_type = "ml.m5.large"
  schedule      = { expression = "cron(0 4 * * ? *)", timezone = "Europe/London" }
}

run "definition_is_rendered" {
  module {
    source = "./modules/demand"
  }

  assert {
    condition     = !strcontains(output.definition, "$${")
    error_message = "No placeholder may be left."
  }

  assert {
    condition     = alltrue([for state in [jsondecode(output.definition).States.PublishForecast, jsondecode(output.definition).States.Forecast.ItemProcessor.States.TransformHours] : length(state.Retry) > 0])
    error_message = "A throttled call must not fail the execution."
  }

  assert {
    condition     = jsondecode(output.definition).States.Forecast.ItemProcessor.States.TransformHours.Arguments.ModelName == aws_sagemaker_model.this["this"].name
    error_message = "The jobs must use the model that is declared."
  }

  assert {
    condition     = jsondecode(output.definition).States.Forecast.ItemProcessor.States.TransformHours.Arguments.Tags == "{% [{\"Key\":\"Owner\",\"Value\":\"the \\\"demand\\\" team\"}] %}"
    error_message = "Tags must reach the jobs as a JSONata expression of JSON."
  }

  assert {
    condition     = aws_sagemaker_model.this["this"].primary_container[0].environment == tomap({ SCONES_WORKLOAD = "demand" })
    error_message = "The image must serve the demand forecast."
  }

  assert {
    condition     = 2 * jsondecode(output.definition).States.Forecast.ItemProcessor.States.TransformHours.TimeoutSeconds < jsondecode(output.definition).TimeoutSeconds
    error_message = "Both jobs must time out before the execution does."
  }

  assert {
    condition     = output.schedule == { expression = "cron(0 4 * * ? *)", timezone = "Europe/London" }
    error_message = "The schedule is in the time zone that was set."
  }
}

run "each_role_has_what_its_part_needs_only" {
  module {
    source = "./modules/demand"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(output.policies.jobs).Statement : s.Resource if anytrue([for action in flatten([s.Action]) : startswith(action, "s3:")])
      ])) == toset([
      "arn:aws:s3:::scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz",
      "arn:aws:s3:::scones-dev-data-123456789012",
      "arn:aws:s3:::scones-dev-data-123456789012/demand/input/*",
      "arn:aws:s3:::scones-dev-data-123456789012/demand/forecasts/*",
    ])
    error_message = "Jobs read one model and the input, and write forecasts only."
  }

  assert {
    condition = toset(flatten([
      for policy in values(output.policies) : [for s in jsondecode(policy).Statement : s.Sid if contains(flatten([s.Resource]), "*")]
    ])) == toset(["DeliverLogs", "PutMetrics", "RegistryToken", "Trace"])
    error_message = "Every other statement must name its resources."
  }

  assert {
    condition     = alltrue([for policy in values(output.policies) : !strcontains(policy, "iam:") && !strcontains(policy, "ModelPackage")])
    error_message = "A forecast may neither hand on a role nor approve a model."
  }

  assert {
    condition     = !strcontains(output.policies.machine, "kms:") && !strcontains(output.policies.machine, "s3:")
    error_message = "The state machine reads no data: its jobs do."
  }
}

run "nothing_runs_before_a_model_is_approved" {
  command = plan

  module {
    source = "./modules/demand"
  }

  variables {
    model = null
  }

  assert {
    condition     = length(aws_sagemaker_model.this) == 0 && output.state_machine_arn == "" && output.schedule == null && length(output.policies) == 0
    error_message = "Without a model there is the model package group only."
  }

  assert {
    condition     = aws_sagemaker_model_package_group.this.model_package_group_name == "scones-dev-demand"
    error_message = "Candidates need their group before one is approved."
  }
}

run "nothing_starts_it_by_itself" {
  command = plan

  module {
    source = "./modules/demand"
  }

  variables {
    schedule = null
  }

  assert {
    condition     = output.schedule == null && output.state_machine_arn != ""
    error_message = "Without a schedule only a person starts it."
  }
}

run "another_model_has_another_name" {
  module {
    source = "./modules/demand"
  }

  variables {
    model = {
      image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
      model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-2/output/model.tar.gz"
    }
  }

  assert {
    condition     = aws_sagemaker_model.this["this"].name != run.definition_is_rendered.model_name
    error_message = "A model cannot be changed: another needs a name of its own."
  }
}

run "a_model_from_elsewhere_is_refused" {
  command = plan

  module {
    source = "./modules/demand"
  }

  variables {
    model = {
      image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
      model_data_url = "s3://other/model/job-2/output/model.tar.gz"
    }
  }

  expect_failures = [aws_sagemaker_model.this["this"]]
}
