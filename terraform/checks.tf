check "threshold_not_below_the_release" {
  assert {
    condition     = local.threshold >= try(coalesce(local.release.threshold, 0), 0)
    error_message = "confidence_threshold ${local.threshold} is below the ${try(coalesce(local.release.threshold, 0), 0)} that release ${coalesce(var.active_release, "none")} was calibrated to: more wrong verdicts are accepted than its target precision allows."
  }
}
