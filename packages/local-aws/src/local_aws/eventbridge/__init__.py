"""EventBridge and its Scheduler: buses, rules, targets, schedules."""
