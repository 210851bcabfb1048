"""The PagerDuty side: reads log entries and incidents, delivers actions. Facts: docs/vendors/pagerduty.md."""
