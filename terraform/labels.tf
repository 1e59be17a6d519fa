# A function's environment variables have 4,096 bytes together, names and values
# (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). Longer lists of class
# names and longer assignments are objects in the data bucket. The lists of all releases are kept,
# so a function finds its own after a rollback.

locals {
  max_inline_bytes = 4096 / 2

  label_lists = concat([jsonencode(var.labels)], [for r in values(var.releases) : jsonencode(r.labels) if r.labels != null])
  labels_text = jsonencode(local.labels)
  labels_object = try(
    "s3://${aws_s3_object.labels[sha256(local.labels_text)].bucket}/${aws_s3_object.labels[sha256(local.labels_text)].key}",
    null
  )
}

resource "aws_s3_object" "labels" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  for_each = { for text in toset(local.label_lists) : sha256(text) => text if length(text) > local.max_inline_bytes }

  bucket       = module.storage.bucket_names["data"]
  key          = "labels/${each.key}.json"
  content      = each.value
  content_type = "application/json"
}

locals {
  assignments_text = jsonencode(var.assignments)
  assignments_setting = coalesce(
    one([for object in aws_s3_object.assignments : "s3://${object.bucket}/${object.key}"]),
    local.assignments_text
  )
}

# A release with a new class answers before the endpoint's update ends, and the functions are
# updated only after it. Until then they read that class's assignment here.
resource "aws_s3_object" "newest_assignments" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = module.storage.bucket_names["data"]
  key          = "assignments/newest.json"
  content      = local.assignments_text
  content_type = "application/json"
}

resource "aws_s3_object" "assignments" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  count = length(local.assignments_text) > local.max_inline_bytes ? 1 : 0

  bucket       = module.storage.bucket_names["data"]
  key          = "assignments/${sha256(local.assignments_text)}.json"
  content      = local.assignments_text
  content_type = "application/json"
}
