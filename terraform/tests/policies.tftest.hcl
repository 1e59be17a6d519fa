# The policies as the real provider takes them: it reads each as JSON, and checks names and ARNs.
# A plan of this module makes no call to AWS.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  account_id  = "123456789012"
  alias       = "live"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  role_names = {
    serialize_image   = "r-serialize"
    classify_image    = "r-classify"
    filter_inferences = "r-filter"
    classify_batch    = "r-batch"
    record_results    = "r-record"
    collect_inbox     = "r-inbox"
    workflow          = "r-workflow"
    endpoint          = "r-endpoint"
    training          = "r-training"
    off_hours         = "r-off-hours"
  }
  serving_modes    = ["realtime", "serverless", "async"]
  deletes_endpoint = true
  metric_namespace = "scones/dev"
  arns = {
    buckets = {
      data      = "arn:aws:s3:::data"
      artifacts = "arn:aws:s3:::artifacts"
      capture   = "arn:aws:s3:::capture"
      logs      = "arn:aws:s3:::logs"
    }
    functions = {
      serialize_image   = "arn:aws:lambda:us-east-1:123456789012:function:serialize"
      classify_image    = "arn:aws:lambda:us-east-1:123456789012:function:classify"
      filter_inferences = "arn:aws:lambda:us-east-1:123456789012:function:filter"
      classify_batch    = "arn:aws:lambda:us-east-1:123456789012:function:batch"
      record_results    = "arn:aws:lambda:us-east-1:123456789012:function:record"
      collect_inbox     = "arn:aws:lambda:us-east-1:123456789012:function:inbox"
    }
    log_groups = {
      serialize_image   = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/serialize"
      classify_image    = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/classify"
      filter_inferences = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/filter"
      classify_batch    = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/batch"
      record_results    = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/record"
      collect_inbox     = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/inbox"
      workflow          = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/x"
      realtime          = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/x"
      serverless        = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/s"
      async             = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/a"
      training          = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TrainingJobs"
    }
    state_machine   = "arn:aws:states:us-east-1:123456789012:stateMachine:x"
    alarms          = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:x-"
    endpoints       = { for mode in ["realtime", "serverless", "async"] : mode => "arn:aws:sagemaker:us-east-1:123456789012:endpoint/${mode}" }
    off_hours_group = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/x-off-hours"
    off_hours_queue = "arn:aws:sqs:us-east-1:123456789012:x-off-hours"
    queues          = { for key in ["inbox", "inbox_dead_letters", "review", "dead_letters"] : key => "arn:aws:sqs:us-east-1:123456789012:x-${key}" }
    assignments     = "arn:aws:dynamodb:us-east-1:123456789012:table/x-assignments"
    event_bus       = "arn:aws:events:us-east-1:123456789012:event-bus/x"
    executions      = "arn:aws:states:us-east-1:123456789012:execution:x"

    endpoint_configurations = { for mode in ["realtime", "serverless", "async"] : mode => "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/${mode}-*" }
    repository              = "arn:aws:ecr:us-east-1:123456789012:repository/x"
  }
}

run "every_policy_is_one" {
  command = plan

  module {
    source = "./modules/iam"
  }

  assert {
    condition = alltrue([
      for policy in concat(values(aws_iam_role_policy.this)[*].policy, values(aws_iam_role.this)[*].assume_role_policy) :
      jsondecode(policy).Version == "2012-10-17" && length(jsondecode(policy).Statement) >= 1
    ])
    error_message = "Each role must have a trust policy and a policy that IAM can read."
  }

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(keys(var.role_names)) && toset(keys(aws_iam_role_policy.this)) == toset(keys(var.role_names))
    error_message = "Each principal has one role, with one policy."
  }

  # IAM's limit for all inline policies of a role.
  assert {
    condition     = alltrue([for policy in values(aws_iam_role_policy.this)[*].policy : length(policy) <= 10240])
    error_message = "A role's policy must fit."
  }
}

run "schedules_do_what_the_night_needs_and_no_more" {
  command = plan

  module {
    source = "./modules/iam"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(output.policies["off_hours"]).Statement : s.Action if startswith(flatten([s.Action])[0], "sagemaker:")])) == toset([
      "sagemaker:AddTags", "sagemaker:CreateEndpoint", "sagemaker:DeleteEndpoint",
    ])
    error_message = "A schedule deletes and creates, and changes nothing."
  }

  assert {
    condition     = alltrue([for s in jsondecode(output.policies["off_hours"]).Statement : !contains(flatten([s.Resource]), "*")])
    error_message = "A schedule reaches one endpoint, its configurations, the key and the queue."
  }

  assert {
    condition     = jsondecode(output.trust_policies["off_hours"]).Statement[0].Condition.ArnEquals["aws:SourceArn"] == var.arns.off_hours_group
    error_message = "No schedule outside the environment's group may take the role."
  }
}

run "an_asynchronous_endpoint_reads_requests_and_writes_answers" {
  command = plan

  module {
    source = "./modules/iam"
  }

  assert {
    condition     = one([for s in jsondecode(output.policies["endpoint"]).Statement : s.Resource if s.Sid == "WriteAnswers"]) == "${var.arns.buckets["capture"]}/async/*"
    error_message = "Answers go below their own prefix."
  }

  assert {
    condition     = toset(one([for s in jsondecode(output.policies["classify_image"]).Statement : s.Resource if s.Sid == "Classify"])) == toset([var.arns.endpoints["realtime"], var.arns.endpoints["serverless"]])
    error_message = "The workflow waits for answers, so it asks no asynchronous endpoint."
  }
}
