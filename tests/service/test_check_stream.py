"""What ``check`` and ``check --plan`` say of the stream, each line provoked over HTTP."""

from checking import HISTORY, INCIDENT, OBJECT, open_bench
from pagerforce.model.ids import Side
from pagerforce.salesforce.stream.channels import topic_name
from pagerforce.sandbox.salesforce.streaming import StreamRefusal
from pagerforce.service.plan import Assumptions, plan, plan_lines

ON = 'stream = "cometd"\nprivate_key_file'


def streamed(bench):
    bench.edit("private_key_file", ON)


def grant(bench):
    """View All Records on the comments as well."""
    assigned = bench.sf.find_id("PermissionSet", Name="Pagerforce")
    bench.sf.insert(
        "ObjectPermissions",
        {"ParentId": assigned, "SobjectType": HISTORY, "PermissionsViewAllRecords": True},
    )


async def test_nothing_is_said_of_a_stream_that_is_not_configured(tmp_path):
    async with open_bench(tmp_path) as bench:
        found = await bench.check()
        assert [line for line in found.lines if "stream" in line.what + line.code] == []


async def test_a_stream_that_works_is_well(tmp_path):
    async with open_bench(tmp_path) as bench:
        streamed(bench)
        grant(bench)
        found = await bench.check()
        assert found.todo == []
        assert found.has(f"stream of {INCIDENT}: by its change events")
        assert found.has(f"stream of {HISTORY}: by its change events")
        assert found.has("stream, delivered events: Developer: 10000 of 10000 left")
        assert bench.sf.streaming.clients == {}


async def test_an_object_that_nobody_chose_is_remarked_with_a_topic_ready_to_paste(tmp_path):
    async with open_bench(tmp_path) as bench:
        streamed(bench)
        bench.sf.streaming.knobs.entities = {INCIDENT}
        line = (await bench.check()).about("stream.no_events")
        name, query = topic_name(HISTORY), f"SELECT Id FROM {HISTORY}"
        assert f"insert new PushTopic(Name='{name}', Query='{query}'" in line.remedy
        bench.sf.insert("PushTopic", {"Name": name, "Query": query, "NotifyForFields": "All"})
        assert (await bench.check()).has(f"stream of {HISTORY}: by its PushTopic")


async def test_a_missing_right_is_remarked_because_a_subscription_proves_nothing(tmp_path):
    async with open_bench(tmp_path) as bench:
        streamed(bench)
        assert HISTORY in (await bench.check()).about("stream.not_all").remedy
        bench.sf.access.deny("PermissionSetAssignment", "read")
        codes = (await bench.check()).remarks
        assert codes.count("stream.rights_unknown") == 2


async def test_a_refused_stream_must_be_corrected(tmp_path):
    async with open_bench(tmp_path) as bench:
        streamed(bench)
        error = "403::Organization concurrent user limit exceeded"
        bench.sf.streaming.knobs.refusals.append(StreamRefusal("handshake", error))
        line = (await bench.check()).about("stream.refused")
        assert "concurrent user limit" in line.remedy
        bench.sf.streaming.knobs.is_offered = False
        assert (await bench.check()).todo == ["stream.refused"]


async def test_a_short_or_hidden_allocation_is_remarked(tmp_path):
    async with open_bench(tmp_path) as bench:
        streamed(bench)
        bench.sf.streaming.knobs.most_delivered = 100
        bench.sf.streaming.delivered = 95
        assert "only 5 of 100" in (await bench.check()).about("stream.events_short").remedy

        bench.sf.streaming.knobs.shows_allocation = False
        found = (await bench.check()).about("stream.events_unknown")
        assert "no DailyDeliveredPlatformEvents" in found.remedy


async def test_the_plan_prices_the_stream(tmp_path):
    async with open_bench(tmp_path, rules=OBJECT) as bench:
        without = plan_lines(bench.load(), Assumptions(changes=0))
        streamed(bench)
        lines = plan_lines(bench.load(), Assumptions(changes=0))
        added = [line for line in lines if line not in without]
        calls, events = added
        assert "while the stream is up" in calls.what
        total = next(
            x for x in lines if "Salesforce, all together" in x.what and "stream" not in x.what
        )
        polls = 86_400 / 5
        assert calls.calls[0] == round(total.calls[0] - polls + 86_400 / 300)
        assert "about 0 events a day" in events.what


async def test_an_announced_change_costs_one_poll(tmp_path):
    async with open_bench(tmp_path, rules=OBJECT) as bench:
        streamed(bench)
        busy = []
        for changes in (0, 50, 10**6):
            given, loaded = Assumptions(changes=changes), bench.load()
            (calls,) = (x for x in plan_lines(loaded, given) if "while the stream is up" in x.what)
            _, *others = (x for x in plan(loaded, given) if x.side is Side.SALESFORCE)
            busy.append(calls.calls[1] - round(sum(x.busy for x in others)))
        calm = round(86_400 / 300)
        assert busy[0] == calm
        assert busy[1] == calm + 50
        assert busy[2] <= calm + 86_400  # never more often than min_poll_interval, 1 s here
