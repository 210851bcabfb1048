"""Both vendors as stateful applications on loopback, for trying rules, for the demo, for tests.

Written from what the vendors document and do, never from what our own clients send, and importing
nothing of ours but :mod:`pagerforce.errors`. ``clock`` is the time, ``faults`` the knobs for
misbehaviour, ``server`` and ``tls`` put the applications on loopback sockets; ``pagerduty`` and
``salesforce`` hold one vendor each.
"""
