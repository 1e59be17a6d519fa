locals {
  prefix = "${var.project}-${var.environment}"

  # A function's key is its bundle's name; its AWS name carries hyphens.
  functions = toset(["serialize_image", "classify_image", "filter_inferences", "classify_batch", "record_results", "collect_inbox"])

  # S3 names are global, so the account id keeps two accounts' environments apart.
  buckets = {
    for purpose in ["data", "artifacts", "capture", "logs"] :
    purpose => "${local.prefix}-${purpose}-${var.account_id}"
  }

  function_names = { for key in local.functions : key => "${local.prefix}-${replace(key, "_", "-")}" }

  role_names = merge(
    { for key, name in local.function_names : key => "${name}-function" },
    {
      workflow  = "${local.prefix}-workflow"
      endpoint  = "${local.prefix}-endpoint"
      training  = "${local.prefix}-training"
      off_hours = "${local.prefix}-off-hours"
    },
  )

  state_machine = "${local.prefix}-classify"
  repository    = "${local.prefix}-model"
  model_group   = "${local.prefix}-candidates"

  queues = {
    for purpose in ["inbox", "inbox-dead-letters", "review", "dead-letters"] :
    replace(purpose, "-", "_") => "${local.prefix}-${purpose}"
  }

  rules = {
    inbox             = "${local.prefix}-inbox"
    failed_executions = "${local.prefix}-failed-executions"
  }

  # An endpoint cannot change its mode, so each mode has a name of its own. Ten letters at most:
  # a model's name is made from it.
  endpoints = {
    realtime   = "${local.prefix}-classifier"
    serverless = "${local.prefix}-serverless"
    async      = "${local.prefix}-async"
  }

  log_groups = merge(
    { for key, name in local.function_names : key => "/aws/lambda/${name}" },
    {
      # Step Functions adds to one account-wide resource policy for any other prefix, until
      # that policy is full.
      workflow   = "/aws/vendedlogs/states/${local.state_machine}"
      retraining = "/aws/vendedlogs/states/${local.prefix}-retrain"
      demand     = "/aws/vendedlogs/states/${local.prefix}-demand"
      reports    = "/aws/vendedlogs/states/${local.prefix}-daily-report"
      training   = "/aws/sagemaker/TrainingJobs"
    },
    { for mode, name in local.endpoints : mode => "/aws/sagemaker/Endpoints/${name}" },
  )

  regional = "${var.region}:${var.account_id}"
}
