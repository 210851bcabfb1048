"""Salesforce: login, requests, reading changes and writing records. Facts: docs/vendors/salesforce.md.

``auth`` logs in, ``client`` has one method per request, ``schema`` knows the objects, ``source``
reads, ``actions`` write. Nothing here knows PagerDuty, the store or the rules.
"""
