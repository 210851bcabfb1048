"""The instance moves while the process runs: the login host names the new one, and no incident is lost."""

from contextlib import AsyncExitStack

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from pagerforce.sandbox.salesforce import make_app
from pagerforce.sandbox.server import serve
from process import open_stage, until
from system.test_daemon import page

GONE = "<html><head><title>URL No Longer Exists</title></head><body>moved</body></html>"
NOT_RESET = {"errorCode": "URL_NOT_RESET", "message": "Destination URL not reset."}
LEFT = {
    "301": lambda: RedirectResponse("https://elsewhere.example.com/", status_code=301),
    "404 html": lambda: HTMLResponse(GONE, status_code=404),
    "200 html": lambda: HTMLResponse(GONE),
    "503 html": lambda: HTMLResponse("Down for Maintenance", status_code=503),
    "URL_NOT_RESET": lambda: JSONResponse([NOT_RESET], status_code=400),
}


class Instance:
    """The address of the org, until it moves."""

    def __init__(self, world):
        self.app = make_app(world)
        self.left = None

    async def __call__(self, scope, receive, send):
        if self.left is None or scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def answer(_: Request) -> Response:
            return self.left()

        methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
        gone = Starlette(routes=[Route("/{path:path}", answer, methods=methods)])
        await gone(scope, receive, send)


@pytest.mark.parametrize("how", [*LEFT, "refused"])
async def test_the_login_host_is_asked_for_the_new_instance(tmp_path, how):
    async with open_stage(tmp_path) as stage, AsyncExitStack() as stack:
        world = stage.desk.salesforce
        old = Instance(world)
        world.instance_url = await stack.enter_async_context(serve(old))
        async with stage.daemon() as running:
            await running.ready()
            world.instance_url = ""  # the org is at its login host from now on
            if how == "refused":
                await stack.aclose()
            else:
                old.left = LEFT[how]
            page(stage)
            await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "a page", 30)
            log = running.log.read_text()
            assert running.process.returncode is None
            assert ("instance_moved" in log) is (how != "URL_NOT_RESET")
