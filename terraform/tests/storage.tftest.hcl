mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account_id     = "123456789012"
  partition      = "aws"
  region         = "us-east-1"
  log_group_arns = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/x"]
  names = {
    buckets = {
      data      = "scones-dev-data-123456789012"
      artifacts = "scones-dev-artifacts-123456789012"
      capture   = "scones-dev-capture-123456789012"
      logs      = "scones-dev-logs-123456789012"
    }
    repository  = "scones-dev-model"
    model_group = "scones-dev-candidates"
    key_alias   = "alias/scones-dev"
  }
}

run "buckets_are_closed_versioned_and_encrypted" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue([
      for block in values(aws_s3_bucket_public_access_block.this) :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ]) && length(aws_s3_bucket_public_access_block.this) == length(var.names.buckets)
    error_message = "No bucket may be public."
  }

  assert {
    condition = alltrue([
      for purpose, bucket in aws_s3_bucket_server_side_encryption_configuration.this :
      one(one(bucket.rule).apply_server_side_encryption_by_default).sse_algorithm == (purpose == "logs" ? "AES256" : "aws:kms")
    ])
    error_message = "All buckets use the key, but the log bucket, to which S3 delivers only under its own."
  }

  assert {
    condition = alltrue([
      for policy in values(aws_s3_bucket_policy.this) :
      jsondecode(policy.policy).Statement[0].Effect == "Deny" && jsondecode(policy.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    ])
    error_message = "Every bucket must refuse requests without TLS."
  }

  assert {
    condition     = toset(keys(aws_s3_bucket_logging.this)) == toset(["data", "artifacts", "capture"])
    error_message = "Access to every bucket but the log bucket is logged."
  }

  assert {
    condition     = length([for r in aws_s3_bucket_lifecycle_configuration.this["capture"].rule : r if r.id == "expire-objects"]) == 1 && length([for r in aws_s3_bucket_lifecycle_configuration.this["data"].rule : r if r.id == "expire-objects"]) == 0
    error_message = "Captured records expire; datasets do not."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "The key must rotate and an image tag must stay what it was."
  }

  assert {
    condition     = alltrue([for s in jsondecode(output.key_policy).Statement : contains(["AccountManagesAccess", "AlarmsPublish"], s.Sid) || can(s.Condition)])
    error_message = "Only the account and alarms, whose topic has the condition, may use the key without one."
  }
}

run "destroy_keeps_what_buckets_hold" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = alltrue([for bucket in values(aws_s3_bucket.this) : !bucket.force_destroy]) && !aws_ecr_repository.this.force_delete
    error_message = "Data may only be deleted where an environment says so."
  }
}

run "rules_of_expiry_may_be_left_out" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    expires_objects = false
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0 && length(aws_s3_bucket_versioning.this) == 4
    error_message = "An environment that is removed soon needs no rules, and all else."
  }
}

run "keeping_no_capture_is_refused" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    capture_retention_days = 0
  }

  expect_failures = [var.capture_retention_days]
}
