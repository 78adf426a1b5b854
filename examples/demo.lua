-- SPDX-License-Identifier: MIT
-- The Lua half of `make demo`: the same job as demo.py, on a store of its own.
local tidewheel = require "tidewheel"
local Emulator = require "tidewheel.emulator"

local FOLDER = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../build/demo"
local COHORT = "ten or more purchases"

local watched = os.execute "test -t 2"
watched = watched == true or watched == 0 -- Lua 5.1 gives the exit code

-- A bar while a long list is worked through, drawn once where nobody watches.
local function progress(label, total)
  local step = watched and math.max(math.floor(total / 40), 1) or total
  return function(done)
    if done % step == 0 or done == total then
      local filled = ("#"):rep(math.floor(40 * done / total))
      io.stderr:write(("\r  %-18s [%-40s] %7d%s"):format(label, filled, done,
        done == total and "\n" or ""))
    end
  end
end

local rows, clock = {}, tidewheel.clock()

local function note(what, count, remark)
  local seconds = tidewheel.clock() - clock
  remark = remark or (seconds > 0.001 and ("%10.0f/s"):format(count / seconds)) or ""
  rows[#rows + 1] = ("  %-34s%9d  %s"):format(what, count, remark)
  clock = tidewheel.clock()
end

-- "11.77" -> 1177: money is counted in whole cents.
local function cents_of(text)
  local whole, part = text:match "^(%d+)%.(%d%d)$"
  return tonumber(whole) * 100 + tonumber(part)
end

-- Days between 1970-01-01 and a date of the Gregorian calendar; os.time would use the local zone.
local function days_to(y, m, d)
  if m <= 2 then
    y, m = y - 1, m + 12
  end
  return 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
    + math.floor((153 * (m - 3) + 2) / 5) + d - 719469
end

local function read_log()
  local purchases, cents = {}, 0
  local line = 0
  for text in io.lines(FOLDER .. "/CDNOW_master.txt") do
    local customer, y, m, d, cds, dollars =
      text:match "^%s*(%d+)%s+(%d%d%d%d)(%d%d)(%d%d)%s+(%d+)%s+([%d.]+)%s*$"
    if customer then
      line = line + 1
      cents = cents + cents_of(dollars)
      purchases[line] = {
        customer = customer,
        time = days_to(tonumber(y), tonumber(m), tonumber(d)) * 86400000,
        cds = tonumber(cds),
        dollars = tonumber(dollars),
      }
    end
  end
  return purchases, cents
end

local function send(client, purchases)
  local customers, first, bought = {}, {}, {}
  local draw = progress("purchases", #purchases)
  for line, purchase in ipairs(purchases) do
    local who = purchase.customer
    if not bought[who] then
      customers[#customers + 1], bought[who], first[who] = who, 0, purchase.time
    end
    bought[who] = bought[who] + 1
    first[who] = math.min(first[who], purchase.time)
    assert(client:revenue{
      user_id = "cdnow-" .. who,
      time = purchase.time,
      insert_id = "cdnow-purchase-" .. line,
      revenue = purchase.dollars,
      event_properties = { cds = purchase.cds },
    })
    draw(line)
  end
  draw = progress("customers", #customers)
  for index, who in ipairs(customers) do
    assert(client:identify{
      user_id = "cdnow-" .. who,
      time = first[who],
      insert_id = "cdnow-customer-" .. who,
      set_once = { first_purchase = first[who] },
      add = { purchases = bought[who] },
    })
    draw(index)
  end
  local report = assert(client:flush(120))
  assert(report.waiting == 0 and report.rejected == 0, "not everything arrived")
  return #purchases + #customers
end

local function read_back(client)
  local count, cents, bought = 0, 0, {}
  local now = os.time()
  local window = {
    start = os.date("!%Y%m%dT%H", now - 360 * 86400),
    stop = os.date("!%Y%m%dT%H", now),
  }
  for event in client:export(window) do
    local dollars = event.event_properties["$revenue"]
    if dollars then
      count = count + 1
      cents = cents + math.floor(dollars * 100 + 0.5)
      bought[event.user_id] = (bought[event.user_id] or 0) + 1
    end
  end
  return count, cents, bought
end

local function put_cohort(client, emulator, ids)
  local existing
  for _, cohort in ipairs(assert(client.cohorts:list())) do
    if cohort.name == COHORT then
      existing = cohort.id
    end
  end
  local answer = assert(client.cohorts:upload{
    name = COHORT,
    ids = ids,
    id_type = "BY_USER_ID",
    app_id = emulator.app_id,
    owner = "demo@example.com",
    published = true,
    existing_cohort_id = existing,
  })
  return answer.cohort_id
end

-- A job that is looked at now and then, as a game loop would: nothing here blocks for long.
local function get_cohort(client, id)
  local job = assert(client.cohorts:download(id, { props = { "purchases" } }))
  local members = {}
  for row in job:rows() do
    members[row.user_id] = tonumber(row.purchases)
  end
  return members
end

local purchases, sent_cents = read_log()
local emulator = assert(Emulator.new{ store = FOLDER .. "/lua.db" })
local client = assert(tidewheel.new{
  api_key = emulator.api_key,
  secret_key = emulator.secret_key,
  base_url = emulator.url,
  on_queue_full = "block",
  block_timeout = 60,
})
print(_VERSION .. ", against the emulator at " .. emulator.url)
clock = tidewheel.clock()

note("purchases in the store at first", (read_back(client)), "")
note("events sent", send(client, purchases))
note("events sent again, same insert_ids", send(client, purchases))

local count, cents, bought = read_back(client)
note("purchases exported", count)
assert(count == #purchases and cents == sent_cents,
  ("stored %d worth %d cents, sent %d worth %d"):format(count, cents, #purchases, sent_cents))
note("revenue, to the cent", math.floor(cents / 100),
  ("  $%.2f = $%.2f"):format(cents / 100, sent_cents / 100))

local best = {}
for user, n in pairs(bought) do
  if n >= 10 then
    best[#best + 1] = user
  end
end
table.sort(best)
local id = put_cohort(client, emulator, best)
note("cohort uploaded", #best)
local members = get_cohort(client, id)
local found = 0
for user, n in pairs(members) do
  assert(bought[user] == n, user .. " came back with another number of purchases")
  found = found + 1
end
assert(found == #best, "the cohort that came back is not the one that went up")
note("cohort downloaded, by polling", found)

print(table.concat(rows, "\n"))
print "Lua: all equal, nothing stored twice.\n"
client:close(5)
emulator:close()
