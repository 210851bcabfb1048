"""pagerforce: keeps PagerDuty incidents and Salesforce records in step by polling only."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pagerforce")
except PackageNotFoundError:  # run straight from a source tree that was never installed
    __version__ = "0+unknown"
