"""HTTP code that both vendors share: the client, failures, back-off. Nothing vendor-specific."""
