mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "scones-dev-classify"
  definition_path    = "./definitions/classify.asl.json"
  map_path           = "./definitions/distributed_map.asl.json"
  data_bucket        = "data"
  max_concurrency    = 75
  batch_concurrency  = 10
  batch_images       = 150
  metric_namespace   = "scones/dev"
  alias              = "live"
  role_arn           = "arn:aws:iam::123456789012:role/scones-dev-workflow"
  log_group          = "/aws/vendedlogs/states/scones-dev-classify"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  log_retention_days = 30
  function_arns = {
    serialize_image   = "arn:aws:lambda:us-east-1:123456789012:function:serialize:live"
    classify_image    = "arn:aws:lambda:us-east-1:123456789012:function:classify:live"
    filter_inferences = "arn:aws:lambda:us-east-1:123456789012:function:filter:live"
    classify_batch    = "arn:aws:lambda:us-east-1:123456789012:function:batch:live"
    record_results    = "arn:aws:lambda:us-east-1:123456789012:function:record:live"
  }
}

run "definition_is_rendered" {
  module {
    source = "./modules/workflow"
  }

  assert {
    condition     = alltrue([for arn in values(var.function_arns) : strcontains(output.definition, "\"${arn}\"")])
    error_message = "Every function must be invoked by the ARN that was given."
  }

  assert {
    condition     = !strcontains(output.definition, "$${")
    error_message = "No placeholder may be left."
  }

  assert {
    condition = alltrue([
      for state in values(jsondecode(output.definition).States) :
      state.MaxConcurrency == (state.ItemProcessor.ProcessorConfig.Mode == "INLINE" ? 40 : 7) if state.Type == "Map"
    ])
    error_message = "max_concurrency must reach each Map: 40 images at most inline, batches of ten at once elsewhere."
  }

  assert {
    condition = alltrue([
      for name, state in jsondecode(output.definition).States :
      state.ItemBatcher.MaxItemsPerBatch == 150 && state.ItemReader.ReaderConfig.InputType == {
        ClassifyCsv = "CSV", ClassifyJsonLines = "JSONL", ClassifyJson = "JSON", ClassifyInventory = "MANIFEST"
      }[name] if contains(["ClassifyCsv", "ClassifyJsonLines", "ClassifyJson", "ClassifyInventory"], name)
    ])
    error_message = "Each distributed Map has what they share, and its own reader."
  }

  assert {
    condition     = output.version_arn == aws_sfn_alias.this.routing_configuration[0].state_machine_version_arn
    error_message = "The alias must point at the published version."
  }
}

run "a_fraction_is_refused" {
  command = plan

  module {
    source = "./modules/workflow"
  }

  variables {
    max_concurrency = 1.5
  }

  expect_failures = [var.max_concurrency]
}
