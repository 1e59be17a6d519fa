# What a principal may do, read from the attached policies.

mock_provider "aws" {
  source = "./tests/mocks"
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
  serving_modes    = ["realtime"]
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

run "least_privilege" {
  command = plan

  module {
    source = "./modules/iam"
  }

  assert {
    condition = alltrue(flatten([
      for policy in values(output.policies) : [
        for s in jsondecode(policy).Statement :
        contains(["Trace", "RegistryToken", "PutMetrics", "DeliverLogs"], s.Sid) || !contains(flatten([s.Resource]), "*")
      ]
    ]))
    error_message = "Only actions that AWS gives no resource may have every resource."
  }

  assert {
    condition = alltrue(flatten([
      for policy in values(output.policies) : [
        for s in jsondecode(policy).Statement : [for action in flatten([s.Action]) : !strcontains(action, "*")]
      ]
    ]))
    error_message = "A policy must list its actions."
  }

  assert {
    condition     = !strcontains(join("", values(output.policies)), "logs:CreateLogGroup")
    error_message = "Log groups are declared; one that a role creates outlives destroy."
  }

  assert {
    condition     = !strcontains(join("", values(output.policies)), "iam:PassRole")
    error_message = "No principal of the workflow hands a role on."
  }

  assert {
    condition = alltrue(flatten([
      for policy in values(output.policies) : [
        for s in jsondecode(policy).Statement : s.Sid != "PutMetrics" || can(s.Condition.StringEquals["cloudwatch:namespace"])
      ]
    ]))
    error_message = "PutMetricData must be bound to a namespace."
  }
}

run "each_principal_its_own" {
  command = plan

  module {
    source = "./modules/iam"
  }

  assert {
    condition     = toset([for key, policy in output.policies : key if strcontains(policy, "sagemaker:InvokeEndpoint")]) == toset(["classify_image", "classify_batch"])
    error_message = "Only classify_image and classify_batch ask the endpoint."
  }

  assert {
    condition     = [for s in jsondecode(output.policies["filter_inferences"]).Statement : s.Sid] == ["Log", "Trace", "ReadEncrypted", "ReadAssignments"]
    error_message = "filter_inferences reads no images."
  }

  assert {
    condition     = toset([for key, policy in output.policies : key if strcontains(policy, "dynamodb:") || strcontains(policy, "events:PutEvents")]) == toset(["classify_batch", "record_results"])
    error_message = "Only what records results writes rows and publishes events."
  }

  assert {
    condition = alltrue(flatten([
      for key in ["workflow", "classify_batch", "record_results", "collect_inbox"] : [
        for s in jsondecode(output.policies[key]).Statement :
        !strcontains(jsonencode(s.Action), "s3:PutObject") || s.Resource == "${var.arns.buckets["data"]}/runs/*"
      ]
    ]))
    error_message = "The workflow writes below runs/ alone, never over an image."
  }

  assert {
    condition     = toset([for key, policy in output.policies : key if strcontains(policy, "states:StartExecution")]) == toset(["workflow", "collect_inbox"])
    error_message = "Only the inbox, and the workflow its batches, start executions."
  }

  assert {
    condition = toset(one([
      for s in jsondecode(output.policies["workflow"]).Statement : s.Resource if s.Sid == "RunFunctions"
    ])) == toset([for key, arn in var.arns.functions : "${arn}:live" if key != "collect_inbox"])
    error_message = "The workflow runs its functions, through their alias alone; the inbox's is the queue's to run."
  }

  assert {
    condition = alltrue([
      for s in jsondecode(output.policies["training"]).Statement :
      !strcontains(jsonencode(s.Action), "s3:PutObject") || contains(["${var.arns.buckets["artifacts"]}/model/*", "${var.arns.buckets["artifacts"]}/checkpoints/*"], s.Resource)
    ])
    error_message = "A training job writes models and checkpoints, never data."
  }

  assert {
    condition = alltrue([
      for s in jsondecode(output.policies["endpoint"]).Statement :
      !strcontains(jsonencode(s.Action), "s3:PutObject") || s.Resource == "${var.arns.buckets["capture"]}/capture/*"
    ])
    error_message = "The endpoint writes captured records alone."
  }

  assert {
    condition = alltrue([
      for key in ["workflow", "endpoint", "training"] :
      jsondecode(output.trust_policies[key]).Statement[0].Condition.StringEquals["aws:SourceAccount"] == var.account_id
    ])
    error_message = "A service may take a role only on behalf of this account."
  }
}

run "assignments_in_the_bucket_can_be_read" {
  command = plan

  module {
    source = "./modules/iam"
  }

  assert {
    condition     = one([for s in jsondecode(output.policies["filter_inferences"]).Statement : s.Resource if s.Sid == "ReadAssignments"]) == "arn:aws:s3:::data/assignments/*"
    error_message = "Assignments of a class that is rolled out, and those that do not fit into a variable, are read from the bucket."
  }
}

run "rollback_can_see_its_alarms" {
  command = plan

  module {
    source = "./modules/iam"
  }

  assert {
    condition     = one([for s in jsondecode(output.policies["endpoint"]).Statement : s.Resource if s.Action == "cloudwatch:DescribeAlarms"]) == "${var.arns.alarms}*"
    error_message = "Without cloudwatch:DescribeAlarms on the guard alarms, SageMaker cannot roll back by itself."
  }
}

run "boundary_on_every_role" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in values(aws_iam_role.this) : role.permissions_boundary == var.permissions_boundary_arn])
    error_message = "The boundary must hold every role."
  }
}

run "wildcard_repository_is_refused" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    model_repository_arns = ["arn:aws:ecr:us-east-1:123456789012:repository/*"]
  }

  expect_failures = [var.model_repository_arns]
}
