-- SPDX-License-Identifier: MIT
-- client.analytics: what goes out, what is refused, what comes back.
local tw = require "tidewheel"
local support = require "support"

local emulator, client

-- The next answers of the emulator to GET requests.
local function answer(body)
  emulator:faults{ {
    match = { method = "GET" }, when = "after_commit", ["do"] = { status = 200, body = body },
  } }
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- Path and query of the last request; the query is decoded, quotes are single ones.
local function asked()
  local journal = emulator:journal()
  local entry = journal[#journal]
  return entry.path, (unescape(entry.query or ""):gsub('"', "'"))
end

local function refused(field, rule, result, err)
  assert.is_nil(result)
  assert.equal("validation", err.code)
  assert.equal(field, err.field)
  assert.truthy(err.message:find(rule, 1, true), err.message)
end

local EMPTY = '{"data":{"series":[],"seriesLabels":[],"xValues":[]}}'

describe("analytics", function()
  setup(function()
    emulator = support.emulator()
    client = support.client(emulator)
  end)

  teardown(function()
    client:close(0)
    emulator:close()
  end)

  before_each(function()
    answer(EMPTY)
  end)

  it("asks what reads like the question", function()
    local event = tw.event("purchase"):where("price", ">", 10):by("country")
    assert(client.analytics:segmentation{
      events = { event, tw.ANY_ACTIVE_EVENT },
      start = { year = 2026, month = 3, day = 1 },
      stop = "2026-03-07",
      users = "active",
      interval = "hour",
      segments = tw.segment():where("gp:tier", "is", "gold"):in_cohort("abc"),
      group_by = "platform",
      limit = 10,
      formula = "UNIQUES(A)/UNIQUES(B)",
      rolling_average = 3,
    })
    local path, query = asked()
    assert.equal("/api/2/events/segmentation", path)
    assert.equal("e={'event_type':'purchase','filters':[{'subprop_type':'event',"
      .. "'subprop_key':'price','subprop_op':'greater','subprop_value':['10']}],"
      .. "'group_by':[{'type':'user','value':'country'}]}&e2={'event_type':'_active'}"
      .. "&start=20260301&end=20260307&n=active&i=-3600000"
      .. "&s=[{'prop':'gp:tier','op':'is','values':['gold']},"
      .. "{'prop':'userdata_cohort','op':'is','values':['abc']}]"
      .. "&g=platform&limit=10&m=formula&formula=UNIQUES(A)/UNIQUES(B)&rollingAverage=3", query)
  end)

  it("takes one segment as the API has it, or its text", function()
    local condition = { prop = "country", op = "is", values = { "Norway" } }
    local text = '[{"prop":"country","op":"is","values":["Norway"]}]'
    for _, segments in ipairs{ condition, { condition }, { { condition } }, text, { text } } do
      assert(client.analytics:users{ start = "20260301", stop = "20260302", segments = segments })
      local _, query = asked()
      assert.equal("start=20260301&end=20260302"
        .. "&s=[{'prop':'country','op':'is','values':['Norway']}]", query)
    end
  end)

  it("asks for a chart by its id", function()
    answer [[{"data":"\"a\"\r\n"}]]
    assert(client.analytics:chart "abc123")
    assert.equal("/api/3/chart/abc123/csv", (asked()))
    assert(assert(client.analytics:chart_start "abc124"):wait())
    assert.equal("/api/3/chart/abc124/csv", (asked()))
    assert.has_error(function() client.analytics:users "abc" end, "options are a table")
  end)

  it("asks all the others", function()
    local days = { start = "20260301", stop = "20260302" }
    local function ask(name, more)
      for key, value in pairs(days) do
        more[key] = more[key] or value
      end
      assert(client.analytics[name](client.analytics, more))
      local path, query = asked()
      return path .. "?" .. query
    end
    local range = "start=20260301&end=20260302"
    assert.equal("/api/2/users?" .. range .. "&m=new&i=30&s=[]&s=[]", ask("users", {
      metric = "new", interval = 30, segments = { tw.segment(), tw.segment() },
    }))
    assert.equal("/api/2/retention?se={'event_type':'_new'}&re={'event_type':'a'}&" .. range
      .. "&rm=bracket&rb=[[0,1],[1,8]]", ask("retention", {
        start_event = tw.NEW_USERS, return_event = tw.event("a"), brackets = { { 0, 1 }, { 1, 8 } },
      }))
    assert.equal("/api/2/revenue/ltv?m=3&" .. range, ask("revenue_ltv", {
      metric = "paying_users",
    }))
    assert.equal("/api/2/sessions/length?" .. range
      .. "&timeHistogramConfigBinTimeUnit=minutes&timeHistogramConfigBinMin=0"
      .. "&timeHistogramConfigBinMax=30", ask("session_length", {
        bin_unit = "minutes", bin_min = 0, bin_max = 30,
      }))
    assert.equal("/api/2/sessions/average?" .. range, ask("session_average", {}))
    assert.equal("/api/2/sessions/peruser?" .. range .. "&g=os", ask("sessions_per_user", {
      group_by = { "os" },
    }))
    assert.equal("/api/2/composition?" .. range .. "&p=gp:tier", ask("composition", {
      property = "gp:tier",
    }))
    assert(client.analytics:realtime())
    assert.equal("/api/2/realtime", (asked()))
    answer '{"data":[]}'
    assert.equal("/api/2/funnels?e={'event_type':'a'}&e={'event_type':'b'}&" .. range
      .. "&cs=7200", ask("funnel", {
        events = { "a", { event_type = "b" } }, conversion_window = 7200,
      }))
  end)

  it("refuses what is wrong, with its place", function()
    local analytics = client.analytics
    local days = { start = "20260301", stop = "20260302" }
    local function with(more)
      for key, value in pairs(days) do
        more[key] = more[key] or value
      end
      return more
    end
    local before = #emulator:journal()
    refused("events[0].filters[0].subprop_op", "is none of", analytics:segmentation(with{
      events = tw.event("a"):where("b", "near", 1),
    }))
    refused("events[0].event_type", "_active", analytics:segmentation(with{
      events = "Any Active Event",
    }))
    refused("events", "at least two", analytics:funnel(with{ events = { "a" } }))
    refused("end", "before start", analytics:users{ start = "20260302", stop = "20260301" })
    refused("segments[0][0].time_value", "days", analytics:users(with{
      segments = tw.segment():performed("a", { time_type = "rolling" }),
    }))
    refused("brackets[0]", "reversed", analytics:retention(with{
      start_event = "a", return_event = "b", brackets = { { 5, 0 } },
    }))
    refused("metrics", 'did you mean "metric"?', analytics:users(with{ metrics = "new" }))
    refused("events", "was missing", analytics:segmentation_start(with{}))
    refused("start", "not a text", analytics:users{ start = { year = 2026 }, stop = "20260302" })
    assert.equal(before, #emulator:journal())
  end)

  it("says what a query costs", function()
    local march = { start = "20260301", stop = "20260330" }
    assert.equal(30, client.analytics:estimate("users", march))
    march.events = { tw.event("a"):by("x") }
    assert.equal(150, client.analytics:estimate("segmentation", march))
    assert.equal(1, client.analytics:estimate "events")
    refused("events", "was missing", client.analytics:estimate("funnel", {
      start = "20260301", stop = "20260301",
    }))
    assert.has_error(function() client.analytics:estimate "segments" end)
    assert.has_error(function() client.analytics:estimate("chart", { chart_id = "a" }) end)
  end)

  it("refuses what costs too much before it is sent", function()
    local before = #emulator:journal()
    local query = {
      start_event = "a", return_event = "b", group_by = "os", start = "20260301", stop = "20260327",
    }
    refused("end", "cost 1080 (27 days x 5 conditions x 8), more than the 1000",
      client.analytics:retention(query))
    refused("end", "25 days at most", client.analytics:retention_start(query))
    assert.equal(1080, client.analytics:estimate("retention", query))
    assert.equal(before, #emulator:journal())
    local other = support.client(emulator, { max_query_cost = 0 })
    assert(other.analytics:retention(query))
    assert.equal(before + 1, #emulator:journal())
    other:close(0)
  end)

  it("gives series with their axes and rows", function()
    answer [=[
      {"wasCached":true,"timeComputed":5,"data":{"series":[[41,39],[12,null]],
      "seriesLabels":[["Norway","iOS"],["Chile","(none)"]],
      "seriesMeta":[{"segmentIndex":0},{"segmentIndex":0}],
      "seriesCollapsed":[[{"value":63}],[{"value":22}]],"xValues":["2026-03-01",
      "2026-03-02"]}}]=]
    local result = assert(client.analytics:segmentation{
      events = "a", start = "20260301", stop = "20260302",
    })
    assert.same({ "2026-03-01", "2026-03-02" }, result.dates)
    assert.same({ "Norway / iOS", "Chile / (none)" }, result.labels)
    assert.same({ "Norway", "iOS" }, result.series[1].label)
    assert.equal(63, result:find("Norway / iOS").collapsed)
    assert.is_nil(result:find "Peru")
    assert.same({ 12, tw.null }, result.series[2].values)
    assert.equal(41, result.data.data.series[1][1])
    assert.is_true(result.cached)
    assert.equal(5, result.computed_ms)
    local rows = support.collect(result:rows())
    assert.equal(4, #rows)
    assert.same({ date = "2026-03-02", label = "Norway / iOS", segment = 0, value = 39 }, rows[2])
    assert.same({ date = "2026-03-02", label = "Chile / (none)", segment = 0 }, rows[4])
    assert.equal("SeriesAnswer: 2 series x 2 points", tostring(result))
  end)

  it("gives tables that are the caller's own", function()
    local body = [=[{"data":{"series":[[41,39]],"seriesLabels":["Norway"],
      "xValues":["2026-03-01","2026-03-02"]}}]=]
    local query = { events = "a", start = "20260301", stop = "20260302" }
    answer(body)
    local job = assert(client.analytics:segmentation_start(query))
    local one = assert(job:wait(10))
    local text = assert(tw.json.encode(one.data))
    one.series[1].values[1], one.x[1], one.labels[1], one.dates[1] = 0, "", "", ""
    assert.equal(text, assert(tw.json.encode(one.data)))
    one.data.data.series[1][2] = 0
    assert.equal(39, one.series[1].values[2])
    assert.equal("Norway", one.series[1].label[1])
    answer(body)
    local other = assert(client.analytics:segmentation(query))
    assert.same({ 41, 39 }, other.series[1].values)
    assert.same({ 41, 39 }, other.data.data.series[1])
    assert.same({ "2026-03-01", "2026-03-02" }, other.dates)
  end)

  it("gives funnels", function()
    answer [=[
      {"data":[{"meta":{"segmentIndex":0},"groupValue":"Norway","events":["Cart Viewed",
      "Checkout Done"],"stepByStep":[1.0,0.4],"cumulative":[1.0,0.4],
      "cumulativeRaw":[200,80],"medianTransTimes":[61000,61000],
      "dayFunnels":{"series":[[120,50],[85,0]],"xValues":["2026-03-01","2026-03-02"],
      "isComplete":[true,false]},"dayMedianTransTimes":{"series":[[1500,1500],[-1,-1]]},
      "stepTransTimeDistribution":{"step_bins":[{"bins":[{"start":0,"end":10,
      "bin_dist":{"uniques":1}}]}]}}]}]=]
    local result = assert(client.analytics:funnel{
      events = { "a", "b" }, start = "20260301", stop = "20260302",
    })
    local funnel = result.funnels[1]
    assert.equal("Norway", funnel.name)
    assert.equal(61, funnel.median_seconds)
    assert.is_nil(funnel.average_seconds)
    assert.same({ event = "Cart Viewed", users = 200, cumulative = 1, conversion = 1 },
      result.steps[1])
    assert.same({ { 1.5, 1.5 }, { tw.null, tw.null } }, funnel.days.median_seconds)
    assert.same({ {}, {} }, funnel.days.average_seconds)
    assert.same({ true, false }, funnel.days.complete)
    assert.same({ { { start = 0, stop = 10, users = 1 } } }, funnel.time_bins)
    local rows = support.collect(result:rows())
    assert.same({
      label = "Norway", segment = 0, step = 2, event = "Checkout Done", users = 80,
      cumulative = 0.4, conversion = 0.4, median_seconds = 61,
    }, rows[2])
    assert.equal("FunnelAnswer: 1 funnels of 2 steps", tostring(result))
  end)

  it("gives retention, the first interval being number 0", function()
    answer [=[
      {"data":{"series":[{"dates":["Mar 02, 2026","Mar 01, 2026"],
      "values":{"Mar 01, 2026":[{"count":50,"outof":50},{"count":48,"outof":50},
      {"count":21,"outof":50,"incomplete":true}],"Mar 02, 2026":[{"count":40,"outof":40},
      {"count":37,"outof":40,"incomplete":true}]},"combined":[{"count":90,"outof":90},
      {"count":48,"outof":50}]}],"seriesLabels":[""]}}]=]
    local result = assert(client.analytics:retention{
      start_event = "_new", return_event = "_all", start = "20260301", stop = "20260302",
    })
    assert.same({ "Mar 02, 2026", "Mar 01, 2026" }, result.dates)
    assert.same({ { 40, 37, tw.null }, { 50, 48, 21 } }, result.matrix)
    assert.equal(90, result.series[1].combined.size)
    assert.equal(48 / 50, result.series[1].combined.cells[1].rate)
    local rows = support.collect(result:rows())
    assert.equal(3, #rows)
    assert.same({
      label = "", date = "Mar 01, 2026", interval = 1, size = 50, retained = 21, of = 50,
      rate = 21 / 50, incomplete = true,
    }, rows[3])
    assert.equal("RetentionAnswer: 1 series x 2 cohorts", tostring(result))
  end)

  it("gives lifetime values, events and charts", function()
    answer [=[
      {"data":{"seriesLabels":[""],"series":[{"dates":["2026-03-01"],
      "values":{"2026-03-01":{"r2d":1.9,"r1d":1.5,"r7new":2,"count":40,"paid":6,
      "total_amount":76.0}},"complete":{"2026-03-01":{"r1d":true}},
      "combined":{"r1d":1.5}}]}}]=]
    local value = assert(client.analytics:revenue_ltv{ start = "20260301", stop = "20260301" })
    local cohort = value.series[1].cohorts[1]
    assert.same({ { days = 1, value = 1.5, complete = true }, { days = 2, value = 1.9 } },
      cohort.curve)
    assert.same({ { days = 7, value = 2 } }, cohort.first_paid)
    assert.same({ { days = 1, value = 1.5 } }, value.curve)
    assert.equal(2, #support.collect(value:rows()))
    answer '{"data":[{"value":"Checkout Done","totals":512,"display":"Checkout"}]}'
    local events = assert(client.analytics:events())
    assert.equal("Checkout Done", events[1].name)
    assert.is_false(events[1].hidden)
    answer [[{"data":"\"\tSignups\"\r\n\r\n\"\tSegment\",\"2026-03-01\"\r\n\"\tgold\",\"4\"\r\n"}]]
    local chart = assert(client.analytics:chart{ chart_id = "abc" })
    assert.equal("Signups", chart.title)
    assert.same({ "Segment", "2026-03-01" }, chart.header)
    assert.same({ { Segment = "gold", ["2026-03-01"] = "4" } }, support.collect(chart:rows()))
    assert.equal('ChartAnswer: "Signups" 1 rows', tostring(chart))
  end)

  it("gives empty answers for an empty project", function()
    local days = { start = "20260301", stop = "20260302" }
    local users = assert(client.analytics:users(days))
    assert.same({}, users.series)
    assert.same({}, support.collect(users:rows()))
    local kept = assert(client.analytics:retention{
      start_event = "a", return_event = "b", start = "20260301", stop = "20260302",
    })
    assert.same({}, kept.matrix)
    assert.same({}, support.collect(kept:rows()))
    assert.same({}, assert(client.analytics:revenue_ltv(days)).curve)
    answer '{"data":""}'
    local chart = assert(client.analytics:chart{ chart_id = "abc" })
    assert.same({}, support.collect(chart:rows()))
    answer '{"data":{"series":[[1,2,3]],"xValues":["2026-03-01"]}}'
    local result, err = client.analytics:users(days)
    assert.is_nil(result)
    assert.equal("protocol", err.code)
  end)

  it("works without waiting", function()
    local days = { start = "20260301", stop = "20260302" }
    local job = assert(client.analytics:users_start(days))
    local result = assert(job:wait(10))
    assert.equal(result, job:result())
    assert.is_true(job:done())
    assert.equal("done", job:progress().phase)
    job:close()

    local function await(start)
      local given
      assert(start(function(got, err)
        given = { got, err }
      end))
      local stop = tw.clock() + 10
      while not given and tw.clock() < stop do
        client:update()
      end
      return given
    end
    answer '{"data":[]}'
    assert.same({ {} }, await(function(callback)
      return client.analytics:events_start(nil, callback)
    end))
    answer '{"data":{"series":7}}'
    local failed = await(function(callback)
      return client.analytics:users_start(days, callback)
    end)
    assert.is_nil(failed[1])
    assert.equal("protocol", failed[2].code)
  end)
end)

describe("analytics of an emulator", function()
  it("gives the numbers of what was sent", function()
    local emu = support.emulator()
    local tracker = support.client(emu)
    local day = 1772409600000 -- 2026-03-02 UTC, in milliseconds
    local function track(user, name, hours, price)
      assert(tracker:track{
        event_type = name, user_id = "user-" .. user, time = day + hours * 3600000,
        country = user == "cy" and "Chile" or "Norway", event_properties = { price = price },
      })
    end
    track("ada", "visit", 1)
    track("ada", "buy", 2, 20)
    track("ada", "buy", 26, 30)
    track("bob", "buy", 3, 8)
    track("cy", "visit", 50)
    assert(tracker:flush())
    local days = { start = "2026-03-02", stop = "2026-03-04" }
    local function ask(name, more)
      for key, value in pairs(days) do
        more[key] = value
      end
      return assert(tracker.analytics[name](tracker.analytics, more))
    end
    local big = tw.event("buy"):where("price", ">", 10)
    assert.same({ 1, 1, 0 }, ask("segmentation", { events = big }).series[1].values)
    assert.same({ 2, 1, 1 }, ask("users", {}).series[1].values)
    local spent = ask("segmentation", { events = tw.event("buy"):by("price"), metric = "sums" })
    assert.same({ 28, 30, 0 }, spent.series[1].values)
    local funnel = ask("funnel", { events = { "visit", "buy" }, group_by = "country" })
    local steps = {}
    for row in funnel:rows() do
      steps[#steps + 1] = row.label .. " " .. row.step .. " " .. row.users
    end
    table.sort(steps)
    assert.same({ "Chile 1 1", "Chile 2 0", "Norway 1 1", "Norway 2 1" }, steps)
    local kept = ask("retention", { start_event = tw.NEW_USERS, return_event = tw.ANY_EVENT })
    assert.equal(2, kept.matrix[3][1])
    assert.equal(1, kept.matrix[3][3]) -- Ada, a day later
    tracker:close(0)
    emu:close()
  end)
end)

describe("builders", function()
  it("make documents, each another one", function()
    local base = tw.event("a"):where("x", "is", 1)
    local one = base:where("y", "is", { 2, "b" })
    local other = base:by("z", { type = "event", value = "w" })
    assert.equal(1, #base.filters)
    assert.equal(2, #one.filters)
    assert.same({ 2, "b" }, one.filters[2].subprop_value)
    assert.is_nil(one.group_by)
    assert.equal("w", other.group_by[2].value)
    assert.equal("user", tw.event("a"):where("b", "is", 1, "user").filters[1].subprop_type)
    assert.has_error(function() tw.event() end)
  end)

  it("make conditions of who performed what", function()
    local buy = tw.event("buy"):where("price", ">", 5)
    local segment = tw.segment():performed(buy, { at_least = 2, within_days = 30 })
      :not_performed("leave")
      :in_cohort({ id = "c-1" }, "c-2")
      :not_in_cohort("c-3")
    assert.equal(4, #segment)
    assert.equal(">=", segment[1].op)
    assert.equal("forEachInterval", segment[1].time_type)
    assert.equal(30, segment[1].time_value)
    assert.equal("buy", segment[1].event_type)
    assert.equal("price", segment[1].filters[1].subprop_key)
    assert.equal("=", segment[2].op)
    assert.equal(0, segment[2].value)
    assert.equal("allTime", segment[2].time_type)
    assert.same({ "c-1", "c-2" }, segment[3].values)
    assert.equal("is not", segment[4].op)
    assert.same(tw.segment():performed({ event_type = "a", filters = tw.array{} }),
      tw.segment():performed '{"event_type":"a","filters":[]}')
    assert.has_error(function() tw.segment():performed '{"event_type":' end)
    for name, value in pairs{ op = "=", value = 0, time_type = "rolling", time_value = 3 } do
      assert.has_error(function() tw.segment():performed{ event_type = "a", [name] = value } end)
    end
    assert.has_error(function() tw.segment():performed("a", { at_least = 1, exactly = 2 }) end)
    assert.has_error(function() tw.segment():performed("a", { often = 1 }) end)
  end)
end)
