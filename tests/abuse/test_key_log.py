"""The daemon writes no TLS keys, whatever its environment asks for."""

import pytest

from process import command, open_stage


@pytest.mark.parametrize("proxied", [False, True])
async def test_tls_keys_are_written_nowhere(tmp_path, proxied):
    place = tmp_path / "keys.log"
    # This proxy is never reached: loopback connections are direct. But its client is built.
    proxy = {"HTTPS_PROXY": "https://proxy.example:3128"} if proxied else {}
    environ = {"SSLKEYLOGFILE": str(place), **proxy}
    async with open_stage(tmp_path, tls=True) as stage, stage.daemon(**environ) as running:
        await running.ready()
        code, _, err = await command("status", config=stage.desk.config, **environ)
        assert code == 0, err
        code, out, err = await command("check", "--json", config=stage.desk.config, **environ)
        assert code == 0, (out, err)
    assert not place.exists()
