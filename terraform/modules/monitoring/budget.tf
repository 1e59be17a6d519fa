# Costs of everything with this environment's tag in a calendar month. AWS counts a tag from the day
# when the paying account activates it as a cost allocation tag.
resource "aws_budgets_budget" "this" {
  for_each = toset(var.monthly_budget_usd == null ? [] : ["this"])

  name         = var.names.budget
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"

  cost_filter {
    name   = "TagKeyValue"
    values = [join("$", ["user:${var.cost_tag.key}", var.cost_tag.value])]
  }

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }

    content {
      notification_type         = notification.key
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [aws_sns_topic.this.arn]
    }
  }

  # Budgets checks at creation that it may publish to the topic.
  depends_on = [aws_sns_topic_policy.this]
}
