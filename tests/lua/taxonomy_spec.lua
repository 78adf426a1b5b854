-- SPDX-License-Identifier: MIT
-- The tracking plan: what is refused, and what the emulator makes of the rest.
local tw = require "tidewheel"
local support = require "support"

local function client_of()
  return assert(tw.new{
    api_key = "key-of-a-test",
    secret_key = "secret-of-a-test",
    base_url = "http://127.0.0.1:9", -- nobody is there
  })
end

local function refused(field, answer, err)
  assert.is_nil(answer)
  assert.equal("validation", err.code)
  assert.equal(field, err.field)
end

describe("client.taxonomy", function()
  local client = client_of()
  local taxonomy = client.taxonomy

  it("is the same object each time", function()
    assert.equal(taxonomy, client.taxonomy)
    assert.is_nil(client.nothing)
  end)

  it("checks what it is given before anything is sent", function()
    refused("event_type", taxonomy.events:get "")
    refused("tags[1]", taxonomy.events:create("a", { tags = { "a", "b,c" } }))
    refused("descripton", taxonomy.events:update("a", { descripton = "x" }))
    refused("type", taxonomy.user_properties:create("a", { type = "text" }))
    refused("override_scope",
      taxonomy.group_properties:update("a", { override_scope = "shared", description = "x" }))
    refused("category_id", taxonomy.categories:delete(1.5))
    refused("events.a.desc", taxonomy:plan{ events = { a = { desc = "x" } } })
    assert.has_error(function() taxonomy.events:list "all" end)
    assert.has_error(function() taxonomy:plan({}, { delte = true }) end,
      "there is no option 'delte'")
    assert.has_error(function() taxonomy:apply{} end, "apply takes what plan gave")
  end)
end)

describe("the tracking plan of an emulator", function()
  local emulator, client, plan

  before_each(function()
    emulator = support.emulator()
    client = support.client(emulator)
    plan = client.taxonomy
  end)

  after_each(function()
    client:close(0)
    emulator:close()
  end)

  it("is read and written entry by entry", function()
    assert.is_false(assert(plan.categories:create "Shop").existed)
    assert.is_true(assert(plan.categories:create("Shop", { exist_ok = true })).existed)
    assert(plan.events:create("Cart Viewed", { category = "Shop", tags = { "web", "app" } }))
    local event = assert(plan.events:get "Cart Viewed")
    assert.equal("Shop", event.category)
    assert.same({ "web", "app" }, event.tags)
    assert.is_nil(event.display_name)
    assert.equal("Cart Viewed", event.data.event_type)
    assert(plan.event_properties:create("method", {
      event_type = "Cart Viewed", type = "enum", enum_values = { "card", "iban" },
    }))
    local found = assert(plan.event_properties:all())
    assert.same({ "card", "iban" }, found[1].enum_values)
    assert.is_nil(found[1].event_type) -- the API makes it a shared one as well
    assert.equal("Cart Viewed", found[2].event_type)
    assert(plan.events:update("Cart Viewed", { tags = {}, description = "seen" }))
    assert.same({}, assert(plan.events:get "Cart Viewed").tags)
    assert(plan.categories:update("Shop", "Store"))
    assert.equal("Store", assert(plan.categories:list())[1].name)
    local answer, err = plan.events:create "Cart Viewed"
    assert.is_nil(answer)
    assert.equal(409, err.http_status)
    assert(plan.events:delete "Cart Viewed")
    answer, err = plan.events:get "Cart Viewed"
    assert.is_nil(answer)
    assert.equal(400, err.http_status)
  end)

  it("is one document, compared and changed", function()
    assert(plan.events:create("a", { description = "first" }))
    local document = assert(plan:pull())
    assert.equal("first", document.events.a.description)
    assert.equal(tw.null, document.events.a.owner)
    assert.equal("nothing to change", tostring(assert(plan:plan(document, { delete = true }))))
    document.events.a.description = "second"
    document.events.b = { tags = { "x" } }
    local diff = assert(plan:plan(document))
    assert.equal('~ event "a": description "first" -> "second"\n+ event "b": tags ["x"]',
      tostring(diff))
    assert.equal(4, diff.cost)
    assert.equal(2, assert(plan:apply(diff)))
    assert.equal("second", assert(plan.events:get "a").description)
    assert.equal(1, assert(plan:apply(assert(plan:plan{ events = { c = {} } }))))
    local made, err, done = plan:apply(diff) -- "b" is there already
    assert.is_nil(made)
    assert.equal(409, err.http_status)
    assert.equal(1, done)
  end)

  it("is checked before anything is sent", function()
    local before = #emulator:journal()
    for _, case in ipairs{
      { { events = { a = { tags = { "b,c" } } } }, "events.a.tags[0]" },
      { { events = { a = { is_active = "yes" } } }, "events.a.is_active" },
      { { events = { a = { properties = { p = { type = "nubmer" } } } } },
        "events.a.properties.p.type" },
      { { user_properties = { t = { type = "enum", regex = "x" } } }, "user_properties.t.regex" },
      { { categories = { "" } }, "categories.category_name" },
    } do
      local diff, err = plan:plan(case[1])
      assert.is_nil(diff)
      assert.equal("validation", err.code)
      assert.equal(case[2], err.field)
    end
    assert.equal(before, #emulator:journal())
    local diff = assert(plan:plan{ events = { a = {}, b = {} } })
    diff.changes[2].arguments.tags = "x"
    before = #emulator:journal()
    local made, err, done = plan:apply(diff)
    assert.is_nil(made)
    assert.equal("tags", err.field)
    assert.equal(0, done)
    assert.equal(before, #emulator:journal())
  end)

  it("is asked for without waiting", function()
    assert(plan.events:create "a")
    local found, document
    assert(plan.events:list_start(nil, function(answer) found = answer end))
    assert(plan:pull_start(function(answer) document = answer end))
    while not (found and document) do
      client:update()
    end
    assert.equal("a", found[1].event_type)
    assert.is_table(document.events.a)
    local job = assert(plan.event_properties:all_start())
    assert.same({}, assert(job:wait(10)))
  end)
end)
