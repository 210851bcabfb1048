"""The PagerDuty side: reads log entries and incidents, delivers actions. Facts: pagerduty.md."""
