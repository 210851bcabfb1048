"""Manners over HTTP that both vendors share: the client, failures, back-off. No vendor words here."""
