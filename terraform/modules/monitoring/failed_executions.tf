# An alarm says that executions fail; this says which one, why, and what to do.
resource "aws_cloudwatch_event_rule" "failed_executions" {
  name        = var.failure_rule.name
  description = "Failed executions of the workflow, the retraining, the demand forecast and the daily report"

  event_pattern = jsonencode({
    source        = ["aws.states"]
    "detail-type" = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = var.failure_rule.state_machine_arns
      status          = ["FAILED", "TIMED_OUT", "ABORTED"]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed_executions" {
  rule = aws_cloudwatch_event_rule.failed_executions.name
  arn  = aws_sns_topic.this.arn

  input_transformer {
    input_paths = {
      name   = "$.detail.name"
      status = "$.detail.status"
      error  = "$.detail.error"
      cause  = "$.detail.cause"
      arn    = "$.detail.executionArn"
    }
    # Without jsonencode, which would escape the angle brackets of the variables.
    input_template = "\"Step Functions did not finish its execution <name>: <status>, <error>: <cause> What it had done is kept. Once the cause is removed, redrive the execution, which does only the rest: <arn>\""
  }
}
