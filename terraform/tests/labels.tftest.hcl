# A function's variables have 4,096 bytes; class names may need more.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment    = "dev"
  lambda_dir     = "./tests/fixtures/lambda"
  active_release = "many"
  releases = {
    few = {
      image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:1"
      model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-1/output/model.tar.gz"
      model_sha256   = "1111111111111111111111111111111111111111111111111111111111111111"
      labels         = ["motorcycle", "bicycle"]
    }
    many = {
      image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scones-dev-model:2"
      model_data_url = "s3://scones-dev-artifacts-123456789012/model/job-2/output/model.tar.gz"
      model_sha256   = "2222222222222222222222222222222222222222222222222222222222222222"
      labels         = [for n in range(1000) : format("maker-%03d_model_%04d_sedan_of_the_year_2012", n % 40, n)]
    }
  }
}

run "a_thousand_names_lie_in_an_object" {
  assert {
    condition     = local.functions.classify_image.environment.LABELS == "s3://scones-dev-data-123456789012/labels/${sha256(jsonencode(var.releases["many"].labels))}.json"
    error_message = "LABELS must name the object that holds the list."
  }

  assert {
    condition     = tolist(jsondecode(one(values(aws_s3_object.labels)).content)) == var.releases["many"].labels
    error_message = "The object must hold the names in the model's order."
  }

  assert {
    condition     = length(jsonencode(local.functions.classify_image.environment)) < 1024
    error_message = "The function's variables must stay far below 4,096 bytes."
  }
}

run "after_a_rollback_the_object_stays_for_the_way_forward" {
  variables {
    active_release = "few"
  }

  assert {
    condition     = local.functions.classify_image.environment.LABELS == "[\"motorcycle\",\"bicycle\"]"
    error_message = "Few names stand in the variable itself."
  }

  assert {
    condition     = length(aws_s3_object.labels) == 1
    error_message = "The lists of other releases must stay, for a function version that reads them."
  }
}

run "a_class_that_joins_needs_an_assignment" {
  command = plan

  variables {
    active_release = "joined"
    releases = merge(var.releases, {
      joined = merge(var.releases["few"], { labels = ["motorcycle", "bicycle", "scooter"] })
    })
    assignments = { for name in ["bicycle", "motorcycle"] : name => { bay = "A", orders = "near", max_km = 3 } }
  }

  expect_failures = [var.assignments]
}

run "after_a_rollback_the_assignment_of_a_joined_class_may_stay" {
  variables {
    active_release = "few"
    assignments    = { for name in ["bicycle", "motorcycle", "scooter"] : name => { bay = "A", orders = "near", max_km = 3 } }
  }

  assert {
    condition     = jsondecode(local.functions.filter_inferences.environment.ASSIGNMENTS) == { for name, value in var.assignments : name => value }
    error_message = "The assignments must reach the function that decides."
  }

  assert {
    condition     = jsondecode(aws_s3_object.newest_assignments.content) == { for name, value in var.assignments : name => value }
    error_message = "While a release with another class rolls out, the functions find its assignment in the object."
  }

  assert {
    condition = alltrue([
      for name in ["filter_inferences", "classify_batch"] :
      local.functions[name].environment.NEWEST_ASSIGNMENTS == "s3://${aws_s3_object.newest_assignments.bucket}/${aws_s3_object.newest_assignments.key}"
    ])
    error_message = "Every function that decides must know where they are."
  }
}
