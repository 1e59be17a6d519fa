"""What happens by itself: events to targets, schedules, metrics, alarms, scaling."""
