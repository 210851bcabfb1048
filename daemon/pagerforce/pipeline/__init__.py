"""The pipeline: polls both sides, evaluates rules, delivers actions."""
