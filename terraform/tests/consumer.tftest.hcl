# Plans the example of a consumer unchanged.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  event_bus = "scones-dev"
}

run "orders_are_told_apart" {
  command = plan

  module {
    source = "./examples/consumer"
  }

  assert {
    condition = alltrue([
      for key, rule in aws_cloudwatch_event_rule.orders :
      rule.event_bus_name == "scones-dev" && jsondecode(rule.event_pattern).detail.assignment.orders == [key]
    ])
    error_message = "Each rule takes the orders that it is named for, from the workflow's bus."
  }

  assert {
    condition     = toset(keys(output.queue_urls)) == toset(["near", "far"])
    error_message = "Near and far orders have a queue each."
  }
}
