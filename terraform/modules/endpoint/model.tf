locals {
  has_instances = var.mode != "serverless"

  # Models and configurations cannot be changed, only replaced. Everything that would replace one
  # is listed here once; the resources and the hash in their names are made from it.
  models = {
    for id, release in var.releases : id => {
      image          = release.image
      model_data_url = release.model_data_url
      model_sha256   = release.model_sha256
      environment    = release.environment
      role_arn       = var.role_arn
      # A serverless endpoint refuses isolation.
      isolated = local.has_instances
    }
  }

  model_names = {
    for id, model in local.models : id => "${var.name}-${id}-${substr(sha256(jsonencode(model)), 0, 8)}"
  }
}

resource "aws_sagemaker_model" "this" {
  #checkov:skip=CKV_AWS_370:isolated but for a serverless endpoint, which refuses it

  for_each = local.models

  name                     = local.model_names[each.key]
  execution_role_arn       = each.value.role_arn
  enable_network_isolation = each.value.isolated

  primary_container {
    image          = each.value.image
    model_data_url = each.value.model_data_url
    environment    = each.value.environment
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = startswith(each.value.model_data_url, var.artifacts_prefix)
      error_message = "Release ${each.key} takes its model from ${each.value.model_data_url}, but the endpoint's role reads below ${var.artifacts_prefix} only: copy the artifact there and release it again."
    }
  }
}
