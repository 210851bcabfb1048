"""What ``check`` looks at, one module per matter; each owns the advice it gives."""
