-- SPDX-License-Identifier: MIT
---@meta tidewheel

-- Annotations of client.users and client.profile.

-- luacheck: ignore 212 241 631

---A user that a search found. What is not known is absent.
---@class tidewheel.UserMatch
---@field amplitude_id integer what `activity` takes
---@field user_id? string
---@field last_device_id? string
---@field platform? string
---@field country? string
---@field last_seen? string day, as YYYY-MM-DD
---@field data table the whole row as it came

---@class tidewheel.UserSearch
---@field type "match_user_or_device_id"|"match_amplitude_id"|"match_user_prefix"|"nomatch"
---@field matches tidewheel.UserMatch[]
---@field data table the whole answer as it came

---@class tidewheel.Location
---@field lat? number
---@field lng? number

---A user, as the activity shows it. What is not known is absent.
---@class tidewheel.ActivityUser
---@field user_id? string
---@field amplitude_id? integer the canonical one
---@field merged_amplitude_ids integer[]
---@field num_events integer
---@field num_sessions integer
---@field usage_time? integer in milliseconds, as far as is known
---@field first_used? string day, as YYYY-MM-DD
---@field last_used? string
---@field purchases integer
---@field revenue number
---@field platform? string as last seen, like all that follow
---@field os? string
---@field version? string
---@field start_version? string
---@field device? string
---@field device_type? string
---@field carrier? string
---@field country? string
---@field region? string
---@field city? string
---@field dma? string
---@field language? string
---@field device_ids string[]
---@field last_device_id? string
---@field properties table<string, any>
---@field last_location? tidewheel.Location
---@field data table the whole userData as it came

---@class tidewheel.ActivityPage
---@field user tidewheel.ActivityUser as of now
---@field events table[] those that no page before had
---@field data table the whole answer as it came, with all its events

---@class tidewheel.ActivityOptions
---@field offset? integer events to pass over, default 0
---@field limit? integer events wanted at most; all where absent
---@field direction? "latest"|"earliest" which come first, default "latest"

---@class tidewheel.Activity
---@overload fun(): table?
local Activity = {}

---The same by calls: `for page in activity:pages() do`. Raises a `tidewheel.Error`.
---@return fun(): tidewheel.ActivityPage?
function Activity:pages() end

---@class tidewheel.UserLookup
local UserLookup = {}

---Finds users by Amplitude ID, device ID, user ID, or the beginning of user IDs. Nobody found is an
---answer, not an error.
---@param user string|integer
---@return tidewheel.UserSearch? found
---@return tidewheel.Error? err
function UserLookup:search(user) end

---@param user string|integer
---@param options? nil
---@param callback? fun(found: tidewheel.UserSearch?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function UserLookup:search_start(user, options, callback) end

---The events of a user, each once, in calls of up to 1,000 or so, the first of which has begun:
---`for event in client.users:activity(id) do`, which raises a `tidewheel.Error`. Ids beyond 2^53
---are given as strings.
---@param amplitude_id integer|string
---@param options? tidewheel.ActivityOptions
---@return tidewheel.Activity? activity
---@return tidewheel.Error? err
function UserLookup:activity(amplitude_id, options) end

---@class tidewheel.Recommendation
---@field rec_id string
---@field child_rec_id? string
---@field items string[] best first
---@field is_control boolean serve the default experience
---@field recommendation_source? string name of the model
---@field last_updated? integer seconds since 1970
---@field data table the whole object as it came

---@class tidewheel.Propensity
---@field prediction_id string
---@field propensity? number the score (0 to 1) or percentile (0 to 100)
---@field propensity_type? string as the server says it; it may say "score" for both
---@field data table the whole object as it came

---What was not asked for is absent.
---@class tidewheel.UserProfile
---@field user_id? string
---@field device_id? string
---@field properties? table<string, any> user properties, and computations by their name
---@field cohort_ids? string[] cohorts synced to the API that have the user
---@field propensity? number of the one prediction that was asked for
---@field recommendations? tidewheel.Recommendation[]
---@field propensities? tidewheel.Propensity[]
---@field data table the whole userData as it came

---@class tidewheel.ProfileOptions
---@field user_id? string whose profile; or device_id
---@field device_id? string
---@field properties? boolean all user properties
---@field cohorts? boolean ids of the cohorts synced to the API
---@field recommendations? string[] ids
---@field recommendation_type? "model"|"random" instead of what the control setting says
---@field computations? string[]|boolean ids, or true for all that are enabled
---@field predictions? string[] ids
---@field propensity_type? "score"|"pct" the raw score or the percentile

---@class tidewheel.Profile
local Profile = {}

---The profile of a user: the parts that are asked for, in one call. Not in the EU.
---@param options tidewheel.ProfileOptions
---@return tidewheel.UserProfile? profile
---@return tidewheel.Error? err
function Profile:get(options) end

---@param options tidewheel.ProfileOptions
---@param callback? fun(profile: tidewheel.UserProfile?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Profile:get_start(options, callback) end
