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
    tags               = { Owner = "the \"night\" team" }
    log_retention_days = 30
  }
  definition_path  = "./definitions/daily_report.asl.json"
  image            = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1-monitoring"
  instance_type    = "ml.t3.medium"
  schedule         = { expression = "cron(30 0 * * ? *)", timezone = "Etc/UTC" }
  metric_namespace = "scones/monitoring"
  endpoint_arns = {
    endpoint      = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/scones-dev-classifier"
    configuration = "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/scones-dev-classifier-*"
  }
  settings = {
    environment      = "dev"
    endpoint         = "scones-dev-classifier"
    variant          = "AllTraffic"
    capture_uri      = "s3://scones-dev-capture-123456789012/capture"
    labels           = ["bicycle", "motorcycle"]
    threshold        = 0.9
    chosen_threshold = false
    release          = "20261120-120000-0123abcd"
    model_url        = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
    dataset_version  = "0123456789ab"
  }
}

run "definition_is_rendered" {
  module {
    source = "./modules/daily_report"
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
    condition     = jsondecode(output.definition).States.ReportDay.Arguments.Tags == "{% [{\"Key\":\"Owner\",\"Value\":\"the \\\"night\\\" team\"}] %}"
    error_message = "Tags must reach the job as a JSONata expression of JSON."
  }

  assert {
    condition = (
      jsondecode(output.definition).States.ReportDay.Arguments.StoppingCondition.MaxRuntimeInSeconds < jsondecode(output.definition).States.ReportDay.TimeoutSeconds
      && jsondecode(output.definition).States.ReportDay.TimeoutSeconds < jsondecode(output.definition).TimeoutSeconds
    )
    error_message = "The job must time out before its step, and the step before the execution."
  }

  assert {
    condition     = jsondecode(output.definition).States.ReportDay.Arguments.ProcessingInputs[0].S3Input.S3Uri == "s3://${aws_s3_object.settings.bucket}/${aws_s3_object.settings.key}"
    error_message = "The job must read the settings that are declared."
  }

  assert {
    condition     = jsondecode(output.settings).data_bucket == var.environment.buckets.data
    error_message = "The settings must name the bucket of the labels."
  }
}

run "the_job_reads_captures_and_labels_and_writes_pages_only" {
  module {
    source = "./modules/daily_report"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(output.policies.jobs).Statement : s.Resource if contains(flatten([s.Action]), "s3:PutObject")
    ])) == toset(["arn:aws:s3:::scones-dev-data-123456789012/monitoring/*"])
    error_message = "The job writes below monitoring/ only."
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(output.policies.jobs).Statement : s.Resource if contains(flatten([s.Action]), "s3:GetObject")
      ])) == toset([
      "arn:aws:s3:::scones-dev-capture-123456789012/capture/*",
      "arn:aws:s3:::scones-dev-data-123456789012/daily-report/settings.json",
      "arn:aws:s3:::scones-dev-data-123456789012/labels/*",
      "arn:aws:s3:::scones-dev-data-123456789012/monitoring/*/summary.json",
      "arn:aws:s3:::scones-dev-data-123456789012/samples/*",
    ])
    error_message = "The job reads captured records, labels, samples, its settings and earlier summaries only."
  }

  assert {
    condition     = alltrue([for policy in values(output.policies) : !strcontains(policy, "InvokeEndpoint") && !strcontains(policy, "UpdateEndpoint") && !strcontains(policy, "PutEvents")])
    error_message = "A report neither asks nor changes the endpoint, and publishes no event."
  }
}
