-- SPDX-License-Identifier: MIT
---@meta tidewheel

-- Annotations for the Lua language server: everything public of the module, and its only
-- reference.

-- Nothing here is run, so that no argument is used; annotations cannot be broken into lines.
-- luacheck: ignore 212 241 631

---What a function that cannot do its work returns after nil, and what iterators raise. Printable.
---@class tidewheel.Error
---@field code "config"|"validation"|"auth"|"rate_limited"|"too_large"|"server"|"http"|"network"|"timeout"|"protocol"|"queue_full"|"job"|"canceled"|"closed"|"forked"|"rpc"|"again" `again`: the time of a wait was up and what was waited for goes on; ask again
---@field message string one line, without secrets
---@field http_status? integer of the answer, where there was one
---@field retry_after? number seconds to wait before trying again, where known
---@field retriable boolean the same call may succeed later
---@field stored "no"|"maybe"|"yes" whether the server stored what was sent
---@field index? integer of the offending event or line, counted from 0
---@field rpc_code? integer of a JSON-RPC error (`rpc`)
---@field resource_metadata? string of an `auth` error of the MCP server: the URL, as the server gave it, of the document that says where a user gets a token
---@field field? string path of the offending value in the JSON document, whose arrays count from 0: `event_properties.cart[3].price`

---JSON's null; equal to `cjson.null` and `ngx.null`.
---@class tidewheel.Null: lightuserdata

---A value that JSON has a type for. A table is an array if its keys are exactly 1..n and an
---object if all of them are strings; an empty table is an object. Any other table is refused, as
---are functions, threads, userdata, NaN, infinities and text that is not UTF-8. Metatables do not
---count but for the marks of `array` and `object`.
---
---Numbers keep their type where Lua has two: 1 is `1` and 1.0 is `1.0`. In Lua 5.1 and LuaJIT a
---whole number up to 2^53 is an integer; LuaJIT's boxed int64_t and uint64_t are exact.
---
---Members are written in the byte order of their names, so that a value is always the same text.
---
---Decoded, an integer that Lua's numbers cannot hold exactly (beyond 2^53 in Lua 5.1 and LuaJIT,
---beyond 64 bits in Lua 5.4) is the string of its digits.
---@alias tidewheel.Value string|number|boolean|table|tidewheel.Null

---@class tidewheel
---@field null tidewheel.Null
---@field ANY_ACTIVE_EVENT string the event that is any active one
---@field ANY_EVENT string the event that is any one at all
---@field NEW_USERS string the event of being new
---@field version string
---@field json tidewheel.json
---@field spool tidewheel.spool
local tidewheel = {}

---Options of a client: besides these every option of docs/configuration.md. An option that is
---unknown or has a bad value gives nil and a `config` error.
---@class tidewheel.Options
---@field api_key string
---@field secret_key? string export and cohorts need it
---@field mcp_token? string OAuth access token of a user, for `mcp` alone
---@field region? "us"|"eu"
---@field base_url? string of all hosts, as an emulator has it
---@field spool? string folder where accepted events are kept until their end is known
---@field on_outcome? fun(outcome: tidewheel.Outcome) called for each event that ended, by `poll`
---@field defaults? table fields for events that do not have them: `{user_id = "user-1", event_properties = {shop = "main"}}`. What an event gives wins, null included. Where event and defaults both have a table for a field, its members are merged in the same way; what lies deeper is not. `$identify` and `$groupidentify` events take no event_properties, user_properties and groups from them
---@field before_send? fun(event: table): table? called with each event, defaults merged in; gives the event to accept, which may be the same table with fields (and members of these) changed, or nil to keep it back, which `stats().filtered` counts. What it raises comes out of `track`. It runs before the checks and before `default`
---@field default? fun(value: any): tidewheel.Value turns what JSON has no type for (userdata, functions, cdata …) into a value that has one

---Makes a client. Nothing is sent and no thread starts before its first use.
---@param options tidewheel.Options
---@return tidewheel.Client? client
---@return tidewheel.Error? err
function tidewheel.new(options) end

---Marks a table (a new one if none is given) as an array, however empty it is, and returns it.
---@param list? table
---@return table
function tidewheel.array(list) end

---Marks a table (a new one if none is given) as an object and returns it.
---@param map? table
---@return table
function tidewheel.object(map) end

---Seconds of a clock that only goes forward, for measuring.
---@return number
function tidewheel.clock() end

---@class tidewheel.json
local json = {}

---@param value tidewheel.Value
---@param default? fun(value: any): tidewheel.Value
---@return string? text
---@return tidewheel.Error? err
function json.encode(value, default) end

---Strict: exactly one JSON value, UTF-8, at most 64 containers inside each other. Null is
---`tidewheel.null`; an empty array is marked, so that it stays one when it is encoded again.
---@param text string
---@return tidewheel.Value? value
---@return tidewheel.Error? err
function json.decode(text) end

---@class tidewheel.Decoder
---@field fields? string[] only these top-level fields are built
---@field drop_null? boolean leaves fields out that are null

---Makes a function as `decode` that builds less, for the lines of a raw export say.
---@param options tidewheel.Decoder
---@return fun(text: string): tidewheel.Value?, tidewheel.Error?
function json.decoder(options) end

---@class tidewheel.spool
local spool = {}

---What a spool folder holds of one project, or of all.
---@class tidewheel.SpoolProject
---@field project string the hash in the names of its files
---@field lanes integer processes that have files there
---@field live integer of these the ones that are running
---@field segments integer files of events
---@field bytes integer their size
---@field events integer events that wait
---@field sent integer of these the ones that were tried at least once
---@field uncertain integer events kept apart; see `resend_uncertain`
---@field lost integer events that damage made unreadable
---@field torn integer files whose last bytes are no event
---@field unreadable integer files that could not be read, or are of a later version
---@field quarantined integer damaged files that were set aside as *.bad
---@field oldest integer|tidewheel.Null when the oldest event was accepted, in ms since 1970
---@field newest integer|tidewheel.Null

---What a spool folder holds: the sums of its projects, and these.
---@class tidewheel.SpoolReport: tidewheel.SpoolProject
---@field path string
---@field projects tidewheel.SpoolProject[]
---@field foreign integer names in the folder that are not tidewheel's

---Only reads; other processes may use the folder meanwhile.
---@param path string
---@return tidewheel.SpoolReport? report
---@return tidewheel.Error? err the folder is not there, or must not be used
function spool.inspect(path) end

---Throws away the events that ended processes left in the folder, uncertain ones too. What running
---processes hold stays.
---@param path string
---@param older_than? number seconds; events that were accepted later stay. With 0, the default, the damaged files that were set aside go as well
---@return integer? events how many there were
---@return tidewheel.Error? err
function spool.purge(path, older_than) end

---Makes a client with these options, `spool` among them, sends what ended processes left in the
---folder, and waits for what becomes of it.
---@param options tidewheel.Options
---@param timeout? number seconds, default 30
---@return tidewheel.Report? report
---@return tidewheel.Error? err the folder is not there, or must not be used; the server refuses all events, which are kept
---@return tidewheel.Report? so_far
function spool.drain(options, timeout) end

---A client of one project. On Lua 5.4 it can be a `<close>` variable, which closes it as `close`
---does. A client that is collected sends nothing any more.
---@class tidewheel.Client
---@field analytics tidewheel.Analytics
---@field cohorts tidewheel.Cohorts
---@field taxonomy tidewheel.Taxonomy the tracking plan
---@field users tidewheel.UserLookup
---@field profile tidewheel.Profile
---@field mcp tidewheel.Mcp the tools of the hosted MCP server
local Client = {}

---Accepts an event: from here on it is sent, retried and counted. It needs `event_type` and
---`user_id` or `device_id`; `insert_id` and `time` are added where absent.
---@param event table the fields of the HTTP V2 API
---@return true? ok
---@return tidewheel.Error? err
function Client:track(event) end

---Accepts the events of a list, or those a function gives one by one until nil, in order. They are
---accepted in chunks of up to 64: with a durable spool a chunk is synced once. For a source that
---waits between its events use `track`. When something fails, the events before it were
---accepted and none from it on; `err.index` is its number, from 0. A function may have been called
---for up to 63 events more where the queue was full; a bad event ends it at once. What the
---function, or a hook, raises comes out, after the events before it were accepted.
---@param events table[]|fun(): table?
---@return integer? count accepted; what `before_send` keeps back is not
---@return tidewheel.Error? err
---@return integer? accepted in that case, how many were
function Client:track_many(events) end

---@class tidewheel.Operations
---@field user_id? string
---@field device_id? string
---@field set? table<string, tidewheel.Value>
---@field set_once? table<string, tidewheel.Value>
---@field add? table<string, number>
---@field append? table<string, tidewheel.Value>
---@field prepend? table<string, tidewheel.Value>
---@field unset? string[] names of properties
---@field pre_insert? table<string, tidewheel.Value>
---@field post_insert? table<string, tidewheel.Value>
---@field remove? table<string, tidewheel.Value>
---@field clear_all? boolean

---@class tidewheel.Identify: tidewheel.Operations
---@field groups? table<string, string|string[]>

---Changes properties of a user, as an event of type `$identify`. Other fields are those of events.
---@param identify tidewheel.Identify
---@return true? ok
---@return tidewheel.Error? err
function Client:identify(identify) end

---@class tidewheel.GroupIdentify: tidewheel.Operations
---@field group_type string
---@field group_value string|string[]

---Changes properties of a group, as an event of type `$groupidentify`.
---@param identify tidewheel.GroupIdentify
---@return true? ok
---@return tidewheel.Error? err
function Client:group_identify(identify) end

---@class tidewheel.Revenue
---@field user_id? string
---@field device_id? string
---@field price? number
---@field quantity? integer
---@field revenue? number
---@field product_id? string
---@field revenue_type? string
---@field currency? string
---@field event_type? string default "revenue_amount"
---@field event_properties? table

---Accepts a revenue event. Other fields are those of events.
---@param revenue tidewheel.Revenue
---@return true? ok
---@return tidewheel.Error? err
function Client:revenue(revenue) end

---Always: accepted + recovered = stored + rejected + uncertain + expired + dropped + lost +
---merged + waiting. Without a spool recovered and lost, and all that begins with spool_, are 0.
---@class tidewheel.Stats
---@field accepted integer
---@field stored integer
---@field rejected integer
---@field uncertain integer
---@field expired integer
---@field dropped integer
---@field waiting integer
---@field waiting_bytes integer
---@field refused integer
---@field requests integer
---@field retries integer
---@field paused boolean sending waits: the server refused the key, the address or the network; the events are kept
---@field filtered integer kept back by before_send; outside the sum
---@field dup_insert_id integer accepted with an insert_id that another event of the device (or user) had shortly before: the server keeps only the first; close() warns (Lua 5.4)
---@field outcomes_missed integer with the option outcomes: ends of events that nobody took in time
---@field truncated integer texts cut because of on_long_string = "truncate", in accepted events
---@field replaced integer texts mended because of on_invalid_utf8 = "replace"
---@field nulled integer NaN and infinities made null because of on_nan = "null"
---@field stringified integer integers made text because of big_ints = "string"
---@field recovered integer accepted by processes that ended, found in the spool so far
---@field lost integer could not be read back from the spool, for its files were damaged or removed
---@field spool_bytes integer size of the files with events that this client holds
---@field spool_unread_bytes integer of these the files of processes that ended, not read yet
---@field spool_uncertain_bytes integer of these the full files that nothing but uncertain events keeps, however few: up to 8 MiB for one. resend_uncertain() frees them, and so does tidewheel.spool.purge once the process has ended
---@field spool_lanes integer processes that ended whose events were taken over
---@field spool_torn integer files whose last bytes were no event, as after a power cut
---@field spool_unreadable integer files left as they are: the disk failed, or a later version wrote them; and such as somebody removed
---@field spool_quarantined integer damaged files that were set aside as *.bad, for a person to look at
---@field spool_foreign integer names in the folder that are not tidewheel's, or of another project
---@field merged integer with coalesce_identify: not sent, for a later event of the user carries the same operations
---@field rejections_missed integer rejected events that made room for newer ones before they were taken; the newest 1,000 are kept, up to 4 MB
---@field held integer of the waiting: those of users and devices that the server throttles, until these may go on
---@field oldest_age number seconds since the oldest waiting event was accepted; 0 where none waits. What ended processes left counts once it is read. Without a spool and max_age an event counts as old as the first one that went into the same request
---@field clock_suspect integer accepted with the time of a clock that stood before 2010: probably it was not set yet
---@field last_error tidewheel.Error? why nothing goes out: the error of the latest ingestion request; nil where that went well. The events are kept and sent again
---@field last_error_time number? when that was, in seconds since 1970

---What became of all events that were accepted before a flush began, or before the close; always
---accepted + recovered = stored + rejected + uncertain + expired + dropped + lost + merged +
---waiting. The numbers count from the client's first event, whether or not earlier reports counted
---them too. A flush counts what this client accepted, a drain or a close all that it had.
---@class tidewheel.Report
---@field accepted integer
---@field stored integer
---@field rejected integer
---@field uncertain integer sent, never confirmed, given up
---@field expired integer given up unsent
---@field dropped integer
---@field waiting integer
---@field recovered integer accepted by processes that ended, found in the spool
---@field lost integer could not be read back from the spool
---@field merged integer not sent, for a later event carries the same operations
---@field complete boolean nothing waits and nothing was given up

---Sends what was accepted so far and waits until each of these events has its final state.
---@param timeout? number seconds, default 30
---@return tidewheel.Report? report
---@return tidewheel.Error? err the time was up, or sending is paused; the events are kept
---@return tidewheel.Report? so_far in that case
function Client:flush(timeout) end

---@param callback? fun(report: tidewheel.Report?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Client:flush_start(callback) end

---As `flush`, and for all that the spool holds of processes that ended.
---@param timeout? number seconds, default 30
---@return tidewheel.Report? report of all events since the client was made
---@return tidewheel.Error? err the time was up, or sending is paused; the events are kept
---@return tidewheel.Report? so_far in that case
function Client:drain(timeout) end

---@param callback? fun(report: tidewheel.Report?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Client:drain_start(callback) end

---Sends the uncertain events that the spool keeps again. The server may have stored them, so long
---ago that it may count them twice: only you can say whether that is better than to miss some.
---@return integer? count of events that wait again
---@return tidewheel.Error? err
function Client:resend_uncertain() end

---@return tidewheel.Stats? stats after `close` the last ones
---@return tidewheel.Error? err
function Client:stats() end

---How one event ended.
---@class tidewheel.Outcome
---@field insert_id string given, or added by `track`
---@field state "stored"|"rejected"|"uncertain"|"expired"|"dropped"|"merged"
---@field reason string what the server wrote, or why there was no other end; of a merged event the insert_id of the one that carries it
---@field http_status integer of the answer that ended it, 0 where no answer did

---Takes the oldest outcome that was not taken yet; nil where there is none. Only with the option
---`outcomes`, or with `on_outcome`, which `update`, `flush`, `drain` and `close` call for each.
---Works after `close` as well. The newest 100,000 are kept.
---@return tidewheel.Outcome? outcome
---@return tidewheel.Error? err
function Client:outcome() end

---Takes all of them: `for outcome in client:outcomes() do`.
---@return fun(): tidewheel.Outcome?
function Client:outcomes() end

---Calls `on_outcome` for each event that has ended, which `update`, `flush`, `drain` and `close` do
---too. Nobody is called between these.
---@return integer count
function Client:poll() end

---An event that was accepted here and refused for good by the server.
---@class tidewheel.Rejection
---@field event table as it was sent
---@field reason string what the server wrote
---@field field? string that the server named
---@field http_status integer
---@field raw string the JSON of the event, byte for byte as it was sent

---Takes the oldest rejection that was not taken yet; nil where there is none. Works after `close`
---as well. The newest 1,000 are kept.
---@return tidewheel.Rejection? rejection
---@return tidewheel.Error? err
function Client:rejection() end

---Takes all of them: `for rejection in client:rejected() do`.
---@return fun(): tidewheel.Rejection?
function Client:rejected() end

---What is configured, without secrets.
---@return table? description
---@return tidewheel.Error? err
function Client:describe() end

---Stops taking events in, sends what is queued, cancels everything else. Closing again does
---nothing.
---@param timeout? number seconds, default 10
---@return tidewheel.Report? report
---@return tidewheel.Error? err not every event has a certain end
---@return tidewheel.Report? last in that case the report
function Client:close(timeout) end

---An hour or a day, UTC: "2026-03-01T05", "20260301T05", "2026-03-01", "20260301", or a table of
---year, month, day and, for an hour, hour, as `os.date("!*t")` makes it.
---@alias tidewheel.Hour string|table

---@class tidewheel.Export
---@field start tidewheel.Hour first hour; a day from its first
---@field stop tidewheel.Hour last hour, inclusive; a day to its last; `["end"]` means the same
---@field fields? string[] only these top-level fields are built
---@field drop_null? boolean leaves fields out that are null
---@field raw? boolean gives the lines as strings, undecoded
---@field block_bytes? integer
---@field ready_blocks? integer
---@field max_line_bytes? integer

---The events that were uploaded in a window of hours: `for event in client:export{…} do`. Raises
---a `tidewheel.Error`, at once where the window is refused. An export is whole or an error.
---@param options tidewheel.Export
---@return tidewheel.Stream
---@return nil
---@return nil
---@return tidewheel.Stream closed by a `for` of Lua 5.4 when it is left
function Client:export(options) end

---An identification for the Identify API itself: also the fields of the device and the place that
---events have.
---@class tidewheel.Identification
---@field user_id? string or device_id
---@field device_id? string
---@field user_properties? table plain, or operations as the API spells them
---@field groups? table<string, string|string[]>
---@field paying? string
---@field start_version? string

---Changes user properties by the Identify API itself instead of an event: for what `identify`
---cannot do, `paying` and `start_version`, and no event counted. Not de-duplicated: there is no
---insert_id. It is repeated only when the server certainly did nothing; after an error whose
---`stored` is "maybe" an `$add` may or may not have been done.
---@param identifications tidewheel.Identification|tidewheel.Identification[] many in one request, up to 1 MB
---@return string? text what the server wrote, "success"
---@return tidewheel.Error? err
function Client:raw_identify(identifications) end

---@param identifications tidewheel.Identification|tidewheel.Identification[]
---@param callback? fun(text: string?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Client:raw_identify_start(identifications, callback) end

---@class tidewheel.GroupIdentification
---@field group_type string
---@field group_value string
---@field group_properties table plain, or operations as the API spells them

---The same for properties of groups: up to 1,024 identifications, and 1,024 properties in all.
---@param identifications tidewheel.GroupIdentification|tidewheel.GroupIdentification[]
---@return string? text
---@return tidewheel.Error? err
function Client:raw_group_identify(identifications) end

---@param identifications tidewheel.GroupIdentification|tidewheel.GroupIdentification[]
---@param callback? fun(text: string?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Client:raw_group_identify_start(identifications, callback) end

---@class tidewheel.Raw
---@field path? string[] for the {…} of the endpoint's path, in order
---@field query? string|table<string, string|number|boolean|string[]>
---@field body? string|table a table is sent as JSON
---@field content_type? string

---@class tidewheel.RawReply
---@field status integer
---@field body string

---Calls an endpoint by its name in the endpoint table.
---@param endpoint string
---@param options? tidewheel.Raw
---@return tidewheel.RawReply? reply
---@return tidewheel.Error? err
function Client:raw(endpoint, options) end

---@param endpoint string
---@param options? tidewheel.Raw
---@param callback? fun(reply: tidewheel.RawReply?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Client:raw_start(endpoint, options, callback) end

---Calls an endpoint by its name with arguments by name, which are checked before anything is sent;
---docs/arguments.md lists endpoints, arguments and answers. Members that are null are absent.
---@param endpoint string
---@param arguments? table<string, any>
---@return any answer in one form whatever shape the server chose
---@return tidewheel.Error? err
function Client:call(endpoint, arguments) end

---@param endpoint string
---@param arguments? table<string, any>
---@param callback? fun(answer: any, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Client:call_start(endpoint, arguments, callback) end

---What a call would cost of its budget, without making it.
---@param endpoint string
---@param arguments? table<string, any>
---@return integer? cost
---@return tidewheel.Error? err
function Client:estimate(endpoint, arguments) end

---Readable while `update` has something to do; never read from it or close it.
---@return integer? fd
---@return tidewheel.Error? err
function Client:fd() end

---Runs the callbacks of finished jobs, never waits. What a callback raises comes out of here; the
---callbacks after it are run by the next update.
---@param budget? number seconds after which no further callback is begun
---@return integer run number of callbacks
function Client:update(budget) end

---@class tidewheel.Cohorts
local Cohorts = {}

---@class tidewheel.CohortList
---@field include_sync_info? boolean what is synced to where as well, in `data`

---A cohort as the list shows it.
---@class tidewheel.Cohort
---@field id string
---@field name string
---@field size? integer when it was last computed
---@field published boolean
---@field last_computed? integer seconds since 1970
---@field data table the whole documented row

---@param options? tidewheel.CohortList
---@return tidewheel.Cohort[]? cohorts
---@return tidewheel.Error? err
function Cohorts:list(options) end

---@param options? tidewheel.CohortList
---@param callback? fun(cohorts: tidewheel.Cohort[]?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Cohorts:list_start(options, callback) end

---@class tidewheel.CohortDownload
---@field props? boolean|string[] user properties: all, or these
---@field request_id? string goes on with an earlier request
---@field timeout? number seconds for the whole job

---Requests the members of a cohort and waits for the file in the background. Read it with the
---job's `ids` or `rows`.
---@param id string|tidewheel.Cohort its id, or a cohort of the list
---@param options? tidewheel.CohortDownload
---@return tidewheel.Download? job
---@return tidewheel.Error? err
function Cohorts:download(id, options) end

---@class tidewheel.CohortUpload
---@field name string
---@field app_id integer
---@field owner string login e-mail
---@field id_type? "BY_AMP_ID"|"BY_USER_ID" default "BY_USER_ID"
---@field ids (string|integer)[]|(fun(): string|integer|nil)|tidewheel.Stream
---@field published? boolean default true
---@field group? string
---@field existing_cohort_id? string replaces the members of this cohort
---@field skip_save? boolean
---@field skip_invalid_ids? boolean default true

---The answer to an upload.
---@class tidewheel.CohortUploaded
---@field cohort_id? string nil where nothing was saved
---@field matched? integer ids the project knows
---@field total? integer ids received by the server
---@field invalid_ids_sample? string[] some of those it does not know
---@field data table the whole documented answer

---Makes a cohort, or replaces the members of one.
---@param options tidewheel.CohortUpload
---@return tidewheel.CohortUploaded? reply
---@return tidewheel.Error? err
function Cohorts:upload(options) end

---@param options tidewheel.CohortUpload
---@param callback? fun(reply: tidewheel.CohortUploaded?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Cohorts:upload_start(options, callback) end

---@class tidewheel.CohortUpdate
---@field add? (string|integer)[]|(fun(): string|integer|nil)|tidewheel.Stream
---@field remove? (string|integer)[]|(fun(): string|integer|nil)|tidewheel.Stream
---@field id_type? "BY_ID"|"BY_NAME" default "BY_NAME"
---@field skip_invalid_ids? boolean default true

---The answer to an update.
---@class tidewheel.CohortUpdated
---@field cohort_id string
---@field skipped_add string[] ids to add that the project does not know
---@field skipped_remove string[] ids to remove that it does not know

---Adds members to a cohort and removes others; adding comes first.
---@param id string|tidewheel.Cohort its id, or a cohort of the list
---@param options tidewheel.CohortUpdate
---@return tidewheel.CohortUpdated? reply
---@return tidewheel.Error? err
function Cohorts:update(id, options) end

---One request, so either `add` or `remove`.
---@param id string|tidewheel.Cohort its id, or a cohort of the list
---@param options tidewheel.CohortUpdate
---@param callback? fun(reply: tidewheel.CohortUpdated?, err: tidewheel.Error?)
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Cohorts:update_start(id, options, callback) end

---A call that goes on in the background. A job that is collected is canceled, unless it has a
---callback. The result of a job with a callback is given by `Client:update`.
---@class tidewheel.Job
local Job = {}

---@return boolean
function Job:done() end

---Readable while there is news of the job; never read from it or close it.
---@return integer? fd
---@return tidewheel.Error? err
function Job:fd() end

---Never waits: the error `again` while the job goes on.
---@return any result
---@return tidewheel.Error? err
function Job:result() end

---Waits for the result; for a download: until its records can be read.
---@param timeout? number seconds, no limit if absent
---@return any result
---@return tidewheel.Error? err `again` when the time was up
function Job:wait(timeout) end

---Asks the job to stop. Never waits.
function Job:cancel() end

---@class tidewheel.Progress
---@field phase "waiting"|"requested"|"polling"|"streaming"|"done"
---@field requests integer
---@field bytes_received integer
---@field request_id? string the server's id of the request

---@return tidewheel.Progress? progress
---@return tidewheel.Error? err
function Job:progress() end

---Of the job of `flush_start` only: what has become so far of the events it was begun for.
---@return tidewheel.Report? report
---@return tidewheel.Error? err
function Job:report() end

---Frees the job at once, canceling what goes on.
function Job:close() end

---The job of `Cohorts:download`.
---@class tidewheel.Download: tidewheel.Job
local Download = {}

---The ids of the members: `for id in job:ids() do`. Of the column `user_id` (`group_value` for a
---cohort of groups) or of the one that is named; members without an id there are left out.
---@param column? string
---@return tidewheel.Stream
---@return nil
---@return nil
---@return tidewheel.Stream
function Download:ids(column) end

---The records, as tables {column = text}: `for row in job:rows() do`.
---@return tidewheel.Stream
---@return nil
---@return nil
---@return tidewheel.Stream
function Download:rows() end

---What a `for` calls for its items; errors are raised.
---@class tidewheel.Stream
---@overload fun(): any
local Stream = {}

---The next item, nil at the end, or nil and the error.
---@param timeout? number seconds, no limit if absent; with 0 it never waits
---@return any item
---@return tidewheel.Error? err `again` when the time was up
function Stream:next(timeout) end

---Readable while `next(0)` may have an item.
---@return integer? fd
---@return tidewheel.Error? err
function Stream:fd() end

---@return integer count of lines or records read so far
function Stream:count() end

---Frees the connection at once.
function Stream:close() end

---`require "tidewheel.emulator"`: the local Amplitude, inside this process.
---@class tidewheel.emulator
local emulator = {}

---Besides these, any name of a behaviour switch.
---@class tidewheel.EmulatorOptions
---@field store? string a file, or ":memory:"
---@field api_key? string begins with "emu", as the secret key does
---@field secret_key? string
---@field mcp_token? string an access token for the MCP server; starts with "emu"
---@field app_id? integer
---@field seed? "demo"
---@field time_zone? string IANA name, "UTC"
---@field listen? string "127.0.0.1:0"; loopback only

---@param options? tidewheel.EmulatorOptions
---@return tidewheel.Emulator? emulator
---@return string? err what was refused
function emulator.new(options) end

---@class tidewheel.Emulator
---@field url string what a client takes as its base_url
---@field api_key string
---@field secret_key string
---@field mcp_token string
---@field app_id integer
---@field control_url string
---@field control_token string
---@field storage_url string
local Emulator = {}

---Requests answered so far, oldest first.
---@param after? integer leaves out entries up to this id
---@return table[]
function Emulator:journal(after) end

---What became of each insert_id, in the order of first receipt, fetched page by page.
---@param page? integer entries fetched at once, up to 100,000
---@return fun(): tidewheel.Account?
function Emulator:ledger(page) end

---@class tidewheel.Account
---@field insert_id string
---@field received integer
---@field committed integer
---@field duplicate integer
---@field applied integer
---@field variants integer receipts whose bytes differed from the first
---@field body_hash string
---@field first_ms integer
---@field commit_ms integer? nil while not stored

---Rates and limits as the emulator itself measured them, refused or not.
---@return table<string, any>
function Emulator:meters() end

---Replaces the silenced devices, whose events are refused; none silences nobody.
---@param device_ids? string[]
function Emulator:silence(device_ids) end

---Opens or closes the API's port; while it is closed new connections are refused.
---@param on? boolean
function Emulator:listen(on) end

---Seeds what the user profile of a user holds besides its properties.
---@param seed tidewheel.ProfileSeed
function Emulator:profile(seed) end

---Saves a query under a chart id, for /api/3/chart/{id}/csv.
---@param chart { id: string, name?: string, query: string }
function Emulator:chart(chart) end

---@class tidewheel.ProfileSeed
---@field user_id? string a user with events; without it and device_id the seed is everybody's
---@field device_id? string
---@field recommendations? table[] rec_id, items; child_rec_id, is_control, recommendation_source, last_updated
---@field computations? table<string, number|string>
---@field predictions? table<string, table<string, number>> score, pct
---@field synced_cohorts? string[] everybody's seed only

---Marks an event type as the service's user interface can.
---@param event_type string
---@param marks table<string, boolean> blocked, transformed
function Emulator:mark(event_type, marks) end

---Forgets events, users, cohorts, jobs, limits, journal, ledger and meters. Nothing of a request
---that began before is stored afterwards: its connection is closed.
function Emulator:reset() end

---All behaviour switches and their values.
---@return table<string, string|number>
function Emulator:switches() end

---Sets behaviour switches, all or none.
---@param switches table<string, any>
function Emulator:switch(switches) end

---Replaces the fault plan; none removes it.
---@param plan? table[] of {match, when, do, count}
function Emulator:faults(plan) end

---Moves the emulator's clock; stalls and jobs that end meanwhile end now.
---@param seconds number
function Emulator:advance(seconds) end

---Ends every connection and the store. May be called again.
function Emulator:close() end

---`require "tidewheel.tick"`: the adapter for game loops.
---@class tidewheel.tick
local tick = {}

---@class tidewheel.TickOptions
---@field budget? number seconds that an update may take, 0.002 if absent

---@param client tidewheel.Client
---@param options? tidewheel.TickOptions
---@return tidewheel.Loop
function tick.new(client, options) end

---@class tidewheel.Loop
local Loop = {}

---To be called once per tick: runs callbacks and spawned functions within the budget, never
---waits. Raises what they raise.
---@return integer left number of spawned functions that still go on
function Loop:update() end

---Runs a function in a coroutine, in which `await` and `each` can be used, from the next update
---on.
---@param run fun()
function Loop:spawn(run) end

---In a spawned function: goes on with the game until the job is done.
---@async
---@param job tidewheel.Job one without a callback
---@return any result
---@return tidewheel.Error? err
function Loop:await(job) end

---In a spawned function: the next item of a stream, however many ticks it takes.
---@async
---@param stream tidewheel.Stream
---@return any item nil at the end
---@return tidewheel.Error? err
function Loop:next(stream) end

---In a spawned function: `for item in loop:each(stream) do`, during as many ticks as it takes.
---Not in Lua 5.1 itself, whose `for` cannot yield; LuaJIT's can.
---@async
---@param stream tidewheel.Stream
---@return fun(): any
function Loop:each(stream) end

return tidewheel
