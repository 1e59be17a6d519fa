locals {
  state_machine = ["StateMachineArn", var.state_machine_arn]
  # CloudWatch keeps a metric for each variant.
  endpoints = [for variant in var.endpoint.variants : ["EndpointName", var.endpoint.name, "VariantName", variant]]

  widgets = concat(local.endpoint_widgets, local.daily_widgets)

  endpoint_widgets = [
    {
      title = "Executions"
      stat  = "Sum"
      metrics = [
        for metric in ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"] :
        concat(["AWS/States", metric], local.state_machine)
      ]
    },
    {
      title = "Execution time, ms"
      stat  = "p90"
      metrics = [
        concat(["AWS/States", "ExecutionTime"], local.state_machine, [{ stat = "p50" }]),
        concat(["AWS/States", "ExecutionTime"], local.state_machine, [{ stat = "p90" }]),
      ]
    },
    {
      title = "Decisions"
      stat  = "Sum"
      metrics = [
        for metric in ["Accepted", "Review", "Failed"] : [var.metric_namespace, metric]
      ]
    },
    {
      title   = "Function invocations"
      stat    = "Sum"
      metrics = [for name in values(var.function_names) : ["AWS/Lambda", "Invocations", "FunctionName", name]]
    },
    {
      title   = "Function time, ms, p90"
      stat    = "p90"
      metrics = [for name in values(var.function_names) : ["AWS/Lambda", "Duration", "FunctionName", name]]
    },
    {
      title = "Function errors and throttles"
      stat  = "Sum"
      metrics = concat([
        for name in values(var.function_names) : [
          for metric in ["Errors", "Throttles"] : ["AWS/Lambda", metric, "FunctionName", name]
        ]
      ]...)
    },
    {
      title = "Endpoint invocations and errors"
      stat  = "Sum"
      metrics = concat([
        for endpoint in local.endpoints : [
          for metric in ["Invocations", "Invocation4XXErrors", "Invocation5XXErrors"] :
          concat(["AWS/SageMaker", metric], endpoint)
        ]
      ]...)
    },
    {
      title = "Endpoint latency, µs"
      stat  = "p90"
      metrics = concat([
        for endpoint in local.endpoints : [
          for metric in ["ModelLatency", "OverheadLatency"] : concat(["AWS/SageMaker", metric], endpoint)
        ]
      ]...)
    },
    {
      title = "Confidence by class"
      stat  = "p50"
      metrics = concat([
        for label in var.labels : [
          for stat in ["p10", "p50", "p90"] :
          [var.metric_namespace, "Confidence", "Label", label, { stat = stat, label = "${label} ${stat}" }]
        ]
      ]...)
    },
  ]

  dashboard = jsonencode({
    widgets = [
      for index, widget in local.widgets : {
        type   = "metric"
        x      = 8 * (index % 3)
        y      = 6 * floor(index / 3)
        width  = 8
        height = 6
        properties = {
          title   = widget.title
          region  = var.region
          view    = "timeSeries"
          period  = try(widget.period, 300)
          stat    = widget.stat
          metrics = widget.metrics
        }
      }
    ]
  })
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.names.dashboard
  dashboard_body = local.dashboard
}
