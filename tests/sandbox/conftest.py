"""A PagerDuty account and a Salesforce org at noon, each served over plain HTTP."""

from collections.abc import AsyncIterator

import pytest

from sandbox_pagerduty import Account, open_account
from sandbox_salesforce import Org, running_org


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with open_account() as account:
        yield account


@pytest.fixture
async def org() -> AsyncIterator[Org]:
    async with running_org() as org:
        yield org
