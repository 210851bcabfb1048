"""pagerforce: synchronises PagerDuty incidents and Salesforce records by polling only."""

__version__: str


def __getattr__(name: str) -> str:
    """Returns ``__version__``, looked up on demand.

    Nothing is loaded before ``__main__`` can handle Ctrl-C.
    """
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("pagerforce")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
