-- SPDX-License-Identifier: MIT
---@meta _

-- The part of the annotations that is about analytics: builders, questions, answers.

-- luacheck: ignore 212 241 631

---@class tidewheel
local tidewheel = {}

---An event of a query: its name, the filters it has to pass, what it is grouped by. It is the
---document itself; each method gives another one.
---@class tidewheel.Event
---@field event_type string
---@field filters? table[]
---@field group_by? table[]
local Event = {}

---@param name string "ce:" and the name of a custom event, or one of the constants
---@return tidewheel.Event
function tidewheel.event(name) end

---Counts only those with this property; several filters must all hold.
---@param name string of the event, or of the user: a built-in one ("country"), "gp:" and a custom one
---@param op string "is", "is not", "contains", "does not contain", "less", "less or equal", "greater", "greater or equal", "set is", "set is not" (Amplitude Dashboard REST API docs, read 2026-11-27), or =, !=, ~=, <, <=, >, >=, "in", "not in"
---@param value any one value, or a list of which one has to match; numbers are sent as text
---@param type? "event"|"user" whose property it is where the name does not tell
---@return tidewheel.Event
function Event:where(name, op, value, type) end

---Groups by properties, at most two (Amplitude Dashboard REST API docs, read 2026-11-27). The first
---is also what the metrics sums, value_avg and histogram are about.
---@param ... string|{type: "event"|"user", value: string}
---@return tidewheel.Event
function Event:by(...) end

---A set of users: conditions that all hold; without any it is everybody. It is the document
---itself; each method gives another one.
---@class tidewheel.Segment
local Segment = {}

---@return tidewheel.Segment
function tidewheel.segment() end

---@param name string a built-in property ("country"), or "gp:" and the name of a custom one
---@param op string as for Event.where
---@param value any as for Event.where
---@return tidewheel.Segment
function Segment:where(name, op, value) end

---@param ... string|tidewheel.Cohort
---@return tidewheel.Segment
function Segment:in_cohort(...) end

---@param ... string|tidewheel.Cohort
---@return tidewheel.Segment
function Segment:not_in_cohort(...) end

---One of the five counts, at least 1 where none is given.
---@class tidewheel.Performed
---@field at_least? integer
---@field at_most? integer also never
---@field exactly? integer
---@field more_than? integer
---@field less_than? integer also never
---@field within_days? integer in this many days before the end of each interval, or of the query with "rolling"
---@field time_type? "forEachInterval"|"currentInterval"|"allTime"|"rolling" forEachInterval where there are days, else allTime

---Users who did something so often.
---@param event string|table its name, document, or the JSON text of that
---@param options? tidewheel.Performed
---@return tidewheel.Segment
function Segment:performed(event, options) end

---Users who never did something.
---@param event string|table
---@param options? tidewheel.Performed without a count
---@return tidewheel.Segment
function Segment:not_performed(event, options) end

---Questions about what users did. Each is checked before anything is sent, and an error names the
---place ("events[0].filters[1].subprop_op"); docs/analytics.md tells more, docs/arguments.md all.
---@class tidewheel.Analytics
local Analytics = {}

---@class tidewheel.Users
---@field start string|table first day, in the project's time zone: "20260301", "2026-03-01", or as os.date("*t") gives it
---@field stop string|table last day, part of the range; `["end"]` means the same
---@field metric? "active"|"new"
---@field interval? "day"|"week"|"month"|1|7|30
---@field segments? table|string a segment, a cohort, a list of conditions or its JSON text; or a list of these, each of which has a series
---@field group_by? string|string[] properties of users, with one segment at most

---@class tidewheel.Segmentation
---@field events string|table one event, or a list of one or two
---@field start string|table first day, in the project's time zone: "20260301", "2026-03-01", or as os.date("*t") gives it
---@field stop string|table last day, part of the range; `["end"]` means the same
---@field metric? "uniques"|"totals"|"pct_dau"|"average"|"histogram"|"sums"|"value_avg"|"formula"
---@field users? "any"|"active"
---@field interval? "day"|"week"|"month"|"hour"|"realtime"|1|7|30|-3600000|-300000 realtime (5 minutes) reaches over 2 days, hour over 7, day over 365
---@field segments? table|string a segment, a cohort, a list of conditions or its JSON text; or a list of these, each of which has a series
---@field group_by? string|string[] properties of users, with one segment at most
---@field limit? integer groups in the answer, 100 if absent, 1,000 at most
---@field formula? string such as "UNIQUES(A)/UNIQUES(B)", A being the first event; it is the metric
---@field rolling_window? integer buckets counted as one set
---@field rolling_average? integer buckets whose values are averaged

---@class tidewheel.FunnelQuery
---@field events table[] the steps, two or more
---@field start string|table first day, in the project's time zone: "20260301", "2026-03-01", or as os.date("*t") gives it
---@field stop string|table last day, part of the range; `["end"]` means the same
---@field mode? "ordered"|"unordered"|"sequential"
---@field users? "new"|"active"
---@field interval? "day"|"week"|"month"|"hour"|"realtime"|1|7|30|-3600000|-300000 realtime (5 minutes) reaches over 2 days, hour over 7, day over 365
---@field segments? table|string a segment, a cohort, a list of conditions or its JSON text; or a list of these, each of which has a series
---@field group_by? string|string[] properties of users, with one segment at most
---@field conversion_window? integer seconds from the first step to the last, 30 days if absent
---@field limit? integer

---@class tidewheel.RetentionQuery
---@field start_event string|table
---@field return_event string|table
---@field start string|table first day, in the project's time zone: "20260301", "2026-03-01", or as os.date("*t") gives it
---@field stop string|table last day, part of the range; `["end"]` means the same
---@field mode? "nday"|"rolling"|"unbounded"|"bracket"
---@field brackets? integer[][] ranges of days without their end, {{0, 1}, {1, 8}}
---@field interval? "day"|"week"|"month"|1|7|30
---@field segments? table|string a segment, a cohort, a list of conditions or its JSON text; or a list of these, each of which has a series
---@field group_by? string|string[] properties of users, with one segment at most

---@class tidewheel.RevenueLtv
---@field start string|table first day, in the project's time zone: "20260301", "2026-03-01", or as os.date("*t") gives it
---@field stop string|table last day, part of the range; `["end"]` means the same
---@field metric? "arpu"|"arppu"|"total_revenue"|"paying_users"|0|1|2|3
---@field interval? "day"|"week"|"month"|1|7|30
---@field segments? table|string a segment, a cohort, a list of conditions or its JSON text; or a list of these, each of which has a series
---@field group_by? string|string[] properties of users, with one segment at most

---@class tidewheel.Chart
---@field chart_id string from the chart's address

---@class tidewheel.SessionLength
---@field start string|table first day, in the project's time zone: "20260301", "2026-03-01", or as os.date("*t") gives it
---@field stop string|table last day, part of the range; `["end"]` means the same
---@field bin_unit? "hours"|"minutes"|"seconds" with bin_min and bin_max
---@field bin_min? number
---@field bin_max? number
---@field bin_size? number
---@field segments? table|string a segment, a cohort, a list of conditions or its JSON text; or a list of these, each of which has a series
---@field group_by? string|string[] properties of users, with one segment at most

---@class tidewheel.Sessions
---@field start string|table first day, in the project's time zone: "20260301", "2026-03-01", or as os.date("*t") gives it
---@field stop string|table last day, part of the range; `["end"]` means the same
---@field segments? table|string a segment, a cohort, a list of conditions or its JSON text; or a list of these, each of which has a series
---@field group_by? string|string[] properties of users, with one segment at most

---@class tidewheel.Composition
---@field property string
---@field start string|table first day, in the project's time zone: "20260301", "2026-03-01", or as os.date("*t") gives it
---@field stop string|table last day, part of the range; `["end"]` means the same

---What all answers but the list of events have. They are plain tables of the caller's own: nothing
---keeps them or guards them against writing (a read-only table looks empty to #, ipairs and pairs
---of Lua 5.1 and LuaJIT; docs/decisions/0006). A job that is asked twice gives the same one.
---@class tidewheel.Answer
---@field data table the answer as the server gave it, members that are null left out
---@field cached? boolean whether the server took it from its cache
---@field computed_ms? integer when the server computed it
local Answer = {}

---Rows, one for each value: `for row in answer:rows() do`. What there is none of is nil.
---@return fun(): table?
function Answer:rows() end

---@class tidewheel.Series
---@field name string the label as one text
---@field label string[] values of the group-by; empty where nothing was grouped
---@field event? integer number of the event in the query, from 0
---@field segment? integer number of the segment, from 0
---@field values (number|tidewheel.Null)[] one for each point of the axis
---@field collapsed? number the whole range as one point

---Rows have the axis, `label`, `event`, `segment`, `value`.
---@class tidewheel.SeriesAnswer: tidewheel.Answer
---@field axis "date"|"time"|"length"|"property"
---@field x string[]
---@field dates string[] the axis where it is of days or hours
---@field labels string[]
---@field series tidewheel.Series[]
local SeriesAnswer = {}

---The first series of that label, as `labels` has it.
---@param label string
---@return tidewheel.Series?
function SeriesAnswer:find(label) end

---@class tidewheel.FunnelStep
---@field event string
---@field users? number who got here, each once
---@field cumulative? number their share of those of the first step
---@field conversion? number their share of those of the step before
---@field median_seconds? number from the step before; nil where nobody came
---@field average_seconds? number

---@class tidewheel.TimeBin
---@field start? number
---@field stop? number
---@field users? number
---@field times? number

---@class tidewheel.Funnel
---@field name string the label as one text
---@field label string[]
---@field segment? integer
---@field steps tidewheel.FunnelStep[]
---@field median_seconds? number from the first step to the last
---@field average_seconds? number
---@field days? table `dates`, `users`, `complete`, `median_seconds`, `average_seconds` by day of entry
---@field time_bins tidewheel.TimeBin[][]
---@field previous_bins tidewheel.TimeBin[][]

---Rows have `label`, `segment`, `step` (from 1) and the fields of a step.
---@class tidewheel.FunnelAnswer: tidewheel.Answer
---@field funnels tidewheel.Funnel[]
---@field labels string[]
---@field steps tidewheel.FunnelStep[] of the first funnel

---@class tidewheel.RetentionCell
---@field retained? number
---@field of? number
---@field rate? number
---@field incomplete boolean

---@class tidewheel.RetentionCohort
---@field date string in no fixed form
---@field size? number
---@field cells tidewheel.RetentionCell[] the first is interval 0

---Rows have `label`, `segment`, `date`, `interval`, `size`, `retained`, `of`, `rate`, `incomplete`.
---@class tidewheel.RetentionAnswer: tidewheel.Answer
---@field series table[] `name`, `label`, `event`, `segment`, `cohorts`, `combined`
---@field labels string[]
---@field dates string[] of the first series
---@field matrix (number|tidewheel.Null)[][] of the first series: the cohort's size, then the users of interval 0, 1, ...

---@class tidewheel.LtvPoint
---@field days integer
---@field value? number
---@field complete? boolean

---@class tidewheel.LtvCohort
---@field date string in no fixed form
---@field size? number
---@field paid? number
---@field total? number
---@field curve tidewheel.LtvPoint[]
---@field first_paid tidewheel.LtvPoint[]

---Rows have `label`, `segment`, `date`, `size`, `days`, `value`, `complete`.
---@class tidewheel.LtvAnswer: tidewheel.Answer
---@field series table[] `name`, `label`, `event`, `segment`, `cohorts`, `combined`
---@field labels string[]
---@field dates string[] of the first series
---@field curve tidewheel.LtvPoint[] of all cohorts together

---@class tidewheel.ListedEvent
---@field name string as it is sent
---@field display string as it is shown
---@field totals? integer this week
---@field hidden boolean
---@field deleted boolean
---@field flow_hidden boolean
---@field non_active boolean
---@field data table the whole documented row

---Rows are the lines by the names of the header.
---@class tidewheel.ChartAnswer: tidewheel.Answer
---@field title string
---@field header string[]
---@field lines string[][]
---@field blocks string[][][]

---Active or new users.
---@param options tidewheel.Users
---@return tidewheel.SeriesAnswer? answer
---@return tidewheel.Error? err
function Analytics:users(options) end

---@param options tidewheel.Users
---@param callback? fun(answer: tidewheel.SeriesAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:users_start(options, callback) end

---Event types with this week's totals; hidden ones are not listed.
---@param options? table none so far
---@return tidewheel.ListedEvent[]? answer
---@return tidewheel.Error? err
function Analytics:events(options) end

---@param options? table none so far
---@param callback? fun(answer: tidewheel.ListedEvent[]?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:events_start(options, callback) end

---How often one or two events happened, or to how many users.
---@param options tidewheel.Segmentation
---@return tidewheel.SeriesAnswer? answer
---@return tidewheel.Error? err
function Analytics:segmentation(options) end

---@param options tidewheel.Segmentation
---@param callback? fun(answer: tidewheel.SeriesAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:segmentation_start(options, callback) end

---How many users go through steps, and how long it takes them.
---@param options tidewheel.FunnelQuery
---@return tidewheel.FunnelAnswer? answer
---@return tidewheel.Error? err
function Analytics:funnel(options) end

---@param options tidewheel.FunnelQuery
---@param callback? fun(answer: tidewheel.FunnelAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:funnel_start(options, callback) end

---Which of the users who began come back, and when.
---@param options tidewheel.RetentionQuery
---@return tidewheel.RetentionAnswer? answer
---@return tidewheel.Error? err
function Analytics:retention(options) end

---@param options tidewheel.RetentionQuery
---@param callback? fun(answer: tidewheel.RetentionAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:retention_start(options, callback) end

---Active users by 5 minutes: in the last 24 hours and the 24 before them.
---@param options? table none so far
---@return tidewheel.SeriesAnswer? answer
---@return tidewheel.Error? err
function Analytics:realtime(options) end

---@param options? table none so far
---@param callback? fun(answer: tidewheel.SeriesAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:realtime_start(options, callback) end

---What new users are worth by the days since they were new.
---@param options tidewheel.RevenueLtv
---@return tidewheel.LtvAnswer? answer
---@return tidewheel.Error? err
function Analytics:revenue_ltv(options) end

---@param options tidewheel.RevenueLtv
---@param callback? fun(answer: tidewheel.LtvAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:revenue_ltv_start(options, callback) end

---A saved chart as the table it is exported as.
---@param chart string|tidewheel.Chart its id, from the chart's address
---@return tidewheel.ChartAnswer? answer
---@return tidewheel.Error? err
function Analytics:chart(chart) end

---@param chart string|tidewheel.Chart its id, from the chart's address
---@param callback? fun(answer: tidewheel.ChartAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:chart_start(chart, callback) end

---Sessions by their length.
---@param options tidewheel.SessionLength
---@return tidewheel.SeriesAnswer? answer
---@return tidewheel.Error? err
function Analytics:session_length(options) end

---@param options tidewheel.SessionLength
---@param callback? fun(answer: tidewheel.SeriesAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:session_length_start(options, callback) end

---Average length of sessions by day, in seconds.
---@param options tidewheel.Sessions
---@return tidewheel.SeriesAnswer? answer
---@return tidewheel.Error? err
function Analytics:session_average(options) end

---@param options tidewheel.Sessions
---@param callback? fun(answer: tidewheel.SeriesAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:session_average_start(options, callback) end

---Average number of sessions of a user by day.
---@param options tidewheel.Sessions
---@return tidewheel.SeriesAnswer? answer
---@return tidewheel.Error? err
function Analytics:sessions_per_user(options) end

---@param options tidewheel.Sessions
---@param callback? fun(answer: tidewheel.SeriesAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:sessions_per_user_start(options, callback) end

---Active users by the values of a property they had.
---@param options tidewheel.Composition
---@return tidewheel.SeriesAnswer? answer
---@return tidewheel.Error? err
function Analytics:composition(options) end

---@param options tidewheel.Composition
---@param callback? fun(answer: tidewheel.SeriesAnswer?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Analytics:composition_start(options, callback) end

---What a query would cost of the budgets of the project, without asking it: days x conditions x
---type (Amplitude Dashboard REST API docs, "rate limits", read 2026-11-27). A query that costs more
---than the option max_query_cost (1,000), also without its last day, is refused when it is asked;
---here it has its cost.
---@param method string name of a method of this area
---@param options? table its arguments
---@return integer? cost
---@return tidewheel.Error? err
function Analytics:estimate(method, options) end
