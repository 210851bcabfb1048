"""Both vendors as stateful applications on loopback, to try rules, for the demo, for tests.

Written from what the vendors document and do, never from what pagerforce's clients send. Of
pagerforce, this package imports only :mod:`pagerforce.errors`. ``clock`` is the time, ``faults``
the knobs for misbehaviour, ``server`` and ``tls`` put the applications on loopback sockets;
``pagerduty`` and ``salesforce`` contain one vendor each.
"""
