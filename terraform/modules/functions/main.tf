locals {
  # What the functions run on; the builder of the bundles reads the same file.
  target = jsondecode(file("${path.module}/runtime.json"))

  bundles = jsondecode(file("${var.lambda_dir}/manifest.json")).bundles
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = var.functions

  name              = each.value.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:invoked synchronously by the state machine, which catches every fault
  #checkov:skip=CKV_AWS_117:calls only AWS APIs, nothing in a VPC
  #checkov:skip=CKV_AWS_272:the bundle's hash is fixed by its manifest; a signing profile is the account's to give

  for_each = var.functions

  function_name                  = each.value.name
  description                    = each.value.description
  role                           = each.value.role_arn
  runtime                        = local.target.runtime
  architectures                  = [local.target.architecture]
  handler                        = local.bundles[each.key].handler
  filename                       = "${var.lambda_dir}/${each.key}.zip"
  source_code_hash               = local.bundles[each.key].source_code_hash
  memory_size                    = each.value.memory_mb
  timeout                        = each.value.timeout_seconds
  reserved_concurrent_executions = each.value.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  publish                        = true

  environment {
    variables = each.value.environment
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }

  tracing_config {
    mode = "Active"
  }

  lifecycle {
    precondition {
      condition     = contains(keys(local.bundles), each.key)
      error_message = "${var.lambda_dir}/manifest.json has no bundle ${each.key}; build the bundles again."
    }
  }
}

resource "aws_lambda_alias" "this" {
  for_each = aws_lambda_function.this

  name             = var.alias
  description      = "The version that callers invoke"
  function_name    = each.value.function_name
  function_version = each.value.version
}
