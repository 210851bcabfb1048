"""A defect stays small: what one action, row or reading raises costs that one a retry, nothing else."""

import anyio

from process import until
from rig import open_rig


async def test_expectations_that_raise_keep_no_other_page_back(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        handler = daemon.parts.deliverer._tools.handlers["pagerduty.create_incident"]
        real = type(handler).expectations

        async def fail(self, task):
            if "the guilty one" in str(task):
                raise KeyError("text of a customer")
            return await real(self, task)

        monkeypatch.setattr(type(handler), "expectations", fail)
        async with anyio.create_task_group() as group:
            group.start_soon(daemon.parts.deliverer.run, lambda: None)
            rig.open_record("the guilty one", priority="1")
            rig.advance(5)
            await daemon.poll()
            await anyio.sleep(0.2)
            rig.open_record("the other one", priority="1")
            rig.advance(5)
            await daemon.poll()
            await until(lambda: len(rig.incidents()) == 1, "the other page", 20)
            daemon.parts.deliverer.stop()
