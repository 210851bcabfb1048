"""pagerforce: keeps PagerDuty incidents and Salesforce records in step by polling only."""

__version__: str


def __getattr__(name: str) -> str:
    """``__version__``, looked up when asked for.

    Nothing is loaded before ``__main__`` can take Ctrl-C for what it is.
    """
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("pagerforce")
    except PackageNotFoundError:  # run straight from a source tree that was never installed
        return "0+unknown"
