-- SPDX-License-Identifier: MIT
---@meta tidewheel

-- Annotations of client.taxonomy, the tracking plan.

-- luacheck: ignore 212 241 631

---@class tidewheel.EventFields
---@field category? string name of its category
---@field description? string
---@field is_active? boolean
---@field is_hidden_from_dropdowns? boolean only of ingested events, as the three that follow
---@field is_hidden_from_persona_results? boolean
---@field is_hidden_from_pathfinder? boolean
---@field is_hidden_from_timeline? boolean
---@field tags? string[] without commas; an empty list takes them away
---@field owner? string who is responsible for it

---@class tidewheel.PropertyFields
---@field description? string
---@field type? "string"|"number"|"boolean"|"enum"|"any"
---@field regex? string that values match; for the type "string"
---@field enum_values? string[] without commas; for the type "enum"
---@field is_array_type? boolean
---@field is_hidden? boolean only of ingested properties
---@field classifications? ("PII"|"SENSITIVE"|"REVENUE")[] needs Data Access Controls

---@class tidewheel.EventPropertyFields: tidewheel.PropertyFields
---@field is_required? boolean whether events must have it

---A type of events in the tracking plan.
---@class tidewheel.EventType
---@field event_type string
---@field category? string its name
---@field description string
---@field display_name? string
---@field is_active boolean
---@field is_hidden_from_dropdowns boolean
---@field is_hidden_from_persona_results boolean
---@field is_hidden_from_pathfinder boolean
---@field is_hidden_from_timeline boolean
---@field tags string[]
---@field owner? string
---@field deleted boolean
---@field data table the whole documented row

---A category of events.
---@class tidewheel.EventCategory
---@field id integer
---@field name string
---@field data table the whole documented row

---A property of events.
---@class tidewheel.EventProperty
---@field event_property string
---@field event_type? string absent for a shared one
---@field description string
---@field type string
---@field regex? string
---@field enum_values string[]
---@field is_array_type boolean
---@field is_hidden boolean
---@field classifications string[]
---@field is_required boolean
---@field data table the whole documented row

---A property of users.
---@class tidewheel.UserProperty
---@field user_property string with gp: unless it is Amplitude's own
---@field description string
---@field type string
---@field regex? string
---@field enum_values string[]
---@field is_array_type boolean
---@field is_hidden boolean
---@field classifications string[]
---@field deleted boolean
---@field data table the whole documented row

---A property of groups.
---@class tidewheel.GroupProperty
---@field group_property string with grp: unless it is Amplitude's own
---@field group_type? string absent for a shared one
---@field description string
---@field type string
---@field regex? string
---@field enum_values string[]
---@field is_array_type boolean
---@field is_hidden boolean
---@field classifications string[]
---@field data table the whole documented row

---@class tidewheel.Created
---@field existed boolean it existed already; only with exist_ok

---@class tidewheel.PlanChange
---@field action "create"|"update"|"restore"|"delete"
---@field kind string
---@field name string
---@field text string the change in one line, for people
---@field endpoint string the call that makes it
---@field arguments table its arguments

---What leads from the project's tracking plan to another; tostring() makes it readable.
---@class tidewheel.PlanDiff
---@field changes tidewheel.PlanChange[] in the order in which they are made
---@field notes string[] what the plan asks for and the API does not offer (yet)
---@field cost integer of all changes, of the 7,200 an hour

---@class tidewheel.ShowDeleted
---@field show_deleted? boolean deleted ones as well

---@class tidewheel.EventCreate: tidewheel.EventFields
---@field exist_ok? boolean that it exists already is success

---@class tidewheel.EventUpdate: tidewheel.EventFields
---@field new_name? string
---@field display_name? string only of ingested events

---@class tidewheel.OfEvent
---@field event_type? string of this event; absent, the shared one

---@class tidewheel.EventPropertyCreate: tidewheel.EventPropertyFields
---@field event_type? string of this event; absent, the shared one
---@field exist_ok? boolean that it exists already is success

---@class tidewheel.EventPropertyUpdate: tidewheel.EventPropertyFields
---@field event_type? string of this event; absent, the shared one
---@field override_scope? "override"|"shared" which of the two is changed
---@field new_name? string

---@class tidewheel.UserPropertyCreate: tidewheel.PropertyFields
---@field exist_ok? boolean that it exists already is success

---@class tidewheel.UserPropertyUpdate: tidewheel.PropertyFields
---@field new_name? string

---@class tidewheel.OfGroup
---@field group_type? string of this type of groups; absent, the shared one

---@class tidewheel.GroupPropertyCreate: tidewheel.PropertyFields
---@field group_type? string of this type of groups; absent, the shared one
---@field exist_ok? boolean that it exists already is success

---@class tidewheel.GroupPropertyUpdate: tidewheel.PropertyFields
---@field group_type? string of this type of groups; absent, the shared one
---@field override_scope? "override"|"shared" which of the two is changed
---@field new_name? string

---@class tidewheel.CategoryCreate
---@field exist_ok? boolean that it exists already is success

---@class tidewheel.PlanOptions
---@field delete? boolean delete the entries that the plan's sections do not mention

---@class tidewheel.Events
local Events = {}

---All event types of the tracking plan; hidden ones are not listed.
---@param options? tidewheel.ShowDeleted
---@return tidewheel.EventType[]? result
---@return tidewheel.Error? err
function Events:list(options) end

---As its namesake, without waiting.
---@param options? tidewheel.ShowDeleted
---@param callback? fun(found: tidewheel.EventType[]?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Events:list_start(options, callback) end

---One event type.
---@param event_type string
---@return tidewheel.EventType? result
---@return tidewheel.Error? err
function Events:get(event_type) end

---As its namesake, without waiting.
---@param event_type string
---@param callback? fun(found: tidewheel.EventType?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Events:get_start(event_type, callback) end

---Adds one. With `exist_ok` it is repeated like a call that reads; a deleted one counts as
---existing.
---@param event_type string
---@param options? tidewheel.EventCreate
---@return tidewheel.Created? result
---@return tidewheel.Error? err
function Events:create(event_type, options) end

---As its namesake, without waiting.
---@param event_type string
---@param options? tidewheel.EventCreate
---@param callback? fun(found: tidewheel.Created?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Events:create_start(event_type, options, callback) end

---Changes the fields that are given; "" empties one.
---@param event_type string
---@param options tidewheel.EventUpdate
---@return table? result
---@return tidewheel.Error? err
function Events:update(event_type, options) end

---As its namesake, without waiting.
---@param event_type string
---@param options tidewheel.EventUpdate
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Events:update_start(event_type, options, callback) end

---Deletes one; what was only planned is gone then.
---@param event_type string
---@return table? result
---@return tidewheel.Error? err
function Events:delete(event_type) end

---As its namesake, without waiting.
---@param event_type string
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Events:delete_start(event_type, callback) end

---Undoes a deletion.
---@param event_type string
---@return table? result
---@return tidewheel.Error? err
function Events:restore(event_type) end

---As its namesake, without waiting.
---@param event_type string
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Events:restore_start(event_type, callback) end

---@class tidewheel.EventProperties
local EventProperties = {}

---All event properties of the tracking plan; hidden ones are not listed.
---@param options? tidewheel.OfEvent
---@return tidewheel.EventProperty[]? result
---@return tidewheel.Error? err
function EventProperties:list(options) end

---As its namesake, without waiting.
---@param options? tidewheel.OfEvent
---@param callback? fun(found: tidewheel.EventProperty[]?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function EventProperties:list_start(options, callback) end

---One event property.
---@param event_property string
---@param options? tidewheel.OfEvent
---@return tidewheel.EventProperty? result
---@return tidewheel.Error? err
function EventProperties:get(event_property, options) end

---As its namesake, without waiting.
---@param event_property string
---@param options? tidewheel.OfEvent
---@param callback? fun(found: tidewheel.EventProperty?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function EventProperties:get_start(event_property, options, callback) end

---Adds one. With `exist_ok` it is repeated like a call that reads; a deleted one counts as
---existing.
---@param event_property string
---@param options? tidewheel.EventPropertyCreate
---@return tidewheel.Created? result
---@return tidewheel.Error? err
function EventProperties:create(event_property, options) end

---As its namesake, without waiting.
---@param event_property string
---@param options? tidewheel.EventPropertyCreate
---@param callback? fun(found: tidewheel.Created?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function EventProperties:create_start(event_property, options, callback) end

---Changes the fields that are given; "" empties one.
---@param event_property string
---@param options tidewheel.EventPropertyUpdate
---@return table? result
---@return tidewheel.Error? err
function EventProperties:update(event_property, options) end

---As its namesake, without waiting.
---@param event_property string
---@param options tidewheel.EventPropertyUpdate
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function EventProperties:update_start(event_property, options, callback) end

---Deletes one; what was only planned is gone then.
---@param event_property string
---@param options? tidewheel.OfEvent
---@return table? result
---@return tidewheel.Error? err
function EventProperties:delete(event_property, options) end

---As its namesake, without waiting.
---@param event_property string
---@param options? tidewheel.OfEvent
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function EventProperties:delete_start(event_property, options, callback) end

---Undoes a deletion.
---@param event_property string
---@param options? tidewheel.OfEvent
---@return table? result
---@return tidewheel.Error? err
function EventProperties:restore(event_property, options) end

---As its namesake, without waiting.
---@param event_property string
---@param options? tidewheel.OfEvent
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function EventProperties:restore_start(event_property, options, callback) end

---The properties of all events, and the shared ones: each list is a call, four at a time.
---@return tidewheel.EventProperty[]? result
---@return tidewheel.Error? err
function EventProperties:all() end

---As its namesake, without waiting.
---@param callback? fun(found: tidewheel.EventProperty[]?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function EventProperties:all_start(callback) end

---@class tidewheel.UserProperties
local UserProperties = {}

---All user properties of the tracking plan; hidden ones are not listed.
---@param options? tidewheel.ShowDeleted
---@return tidewheel.UserProperty[]? result
---@return tidewheel.Error? err
function UserProperties:list(options) end

---As its namesake, without waiting.
---@param options? tidewheel.ShowDeleted
---@param callback? fun(found: tidewheel.UserProperty[]?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function UserProperties:list_start(options, callback) end

---One user property.
---@param user_property string
---@param options? tidewheel.ShowDeleted
---@return tidewheel.UserProperty? result
---@return tidewheel.Error? err
function UserProperties:get(user_property, options) end

---As its namesake, without waiting.
---@param user_property string
---@param options? tidewheel.ShowDeleted
---@param callback? fun(found: tidewheel.UserProperty?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function UserProperties:get_start(user_property, options, callback) end

---Adds one. With `exist_ok` it is repeated like a call that reads; a deleted one counts as
---existing.
---@param user_property string
---@param options? tidewheel.UserPropertyCreate
---@return tidewheel.Created? result
---@return tidewheel.Error? err
function UserProperties:create(user_property, options) end

---As its namesake, without waiting.
---@param user_property string
---@param options? tidewheel.UserPropertyCreate
---@param callback? fun(found: tidewheel.Created?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function UserProperties:create_start(user_property, options, callback) end

---Changes the fields that are given; "" empties one.
---@param user_property string
---@param options tidewheel.UserPropertyUpdate
---@return table? result
---@return tidewheel.Error? err
function UserProperties:update(user_property, options) end

---As its namesake, without waiting.
---@param user_property string
---@param options tidewheel.UserPropertyUpdate
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function UserProperties:update_start(user_property, options, callback) end

---Deletes one; what was only planned is gone then.
---@param user_property string
---@return table? result
---@return tidewheel.Error? err
function UserProperties:delete(user_property) end

---As its namesake, without waiting.
---@param user_property string
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function UserProperties:delete_start(user_property, callback) end

---Undoes a deletion.
---@param user_property string
---@return table? result
---@return tidewheel.Error? err
function UserProperties:restore(user_property) end

---As its namesake, without waiting.
---@param user_property string
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function UserProperties:restore_start(user_property, callback) end

---@class tidewheel.GroupProperties
local GroupProperties = {}

---All group properties of the tracking plan; hidden ones are not listed.
---@param options? tidewheel.OfGroup
---@return tidewheel.GroupProperty[]? result
---@return tidewheel.Error? err
function GroupProperties:list(options) end

---As its namesake, without waiting.
---@param options? tidewheel.OfGroup
---@param callback? fun(found: tidewheel.GroupProperty[]?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function GroupProperties:list_start(options, callback) end

---One group property.
---@param group_property string
---@param options? tidewheel.OfGroup
---@return tidewheel.GroupProperty? result
---@return tidewheel.Error? err
function GroupProperties:get(group_property, options) end

---As its namesake, without waiting.
---@param group_property string
---@param options? tidewheel.OfGroup
---@param callback? fun(found: tidewheel.GroupProperty?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function GroupProperties:get_start(group_property, options, callback) end

---Adds one. With `exist_ok` it is repeated like a call that reads; a deleted one counts as
---existing.
---@param group_property string
---@param options? tidewheel.GroupPropertyCreate
---@return tidewheel.Created? result
---@return tidewheel.Error? err
function GroupProperties:create(group_property, options) end

---As its namesake, without waiting.
---@param group_property string
---@param options? tidewheel.GroupPropertyCreate
---@param callback? fun(found: tidewheel.Created?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function GroupProperties:create_start(group_property, options, callback) end

---Changes the fields that are given; "" empties one.
---@param group_property string
---@param options tidewheel.GroupPropertyUpdate
---@return table? result
---@return tidewheel.Error? err
function GroupProperties:update(group_property, options) end

---As its namesake, without waiting.
---@param group_property string
---@param options tidewheel.GroupPropertyUpdate
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function GroupProperties:update_start(group_property, options, callback) end

---@class tidewheel.Categories
local Categories = {}

---All categories of events.
---@return tidewheel.EventCategory[]? result
---@return tidewheel.Error? err
function Categories:list() end

---As its namesake, without waiting.
---@param callback? fun(found: tidewheel.EventCategory[]?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Categories:list_start(callback) end

---One category.
---@param category_name string
---@return tidewheel.EventCategory? result
---@return tidewheel.Error? err
function Categories:get(category_name) end

---As its namesake, without waiting.
---@param category_name string
---@param callback? fun(found: tidewheel.EventCategory?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Categories:get_start(category_name, callback) end

---Adds one.
---@param category_name string
---@param options? tidewheel.CategoryCreate
---@return tidewheel.Created? result
---@return tidewheel.Error? err
function Categories:create(category_name, options) end

---As its namesake, without waiting.
---@param category_name string
---@param options? tidewheel.CategoryCreate
---@param callback? fun(found: tidewheel.Created?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Categories:create_start(category_name, options, callback) end

---Gives it another name.
---@param category string|integer its name, which costs a look-up, or its id
---@param new_name string
---@return table? result
---@return tidewheel.Error? err
function Categories:update(category, new_name) end

---Deletes one.
---@param category string|integer its name, which costs a look-up, or its id
---@return table? result
---@return tidewheel.Error? err
function Categories:delete(category) end

---@class tidewheel.Taxonomy
---@field categories tidewheel.Categories
---@field events tidewheel.Events
---@field event_properties tidewheel.EventProperties
---@field user_properties tidewheel.UserProperties
---@field group_properties tidewheel.GroupProperties
local Taxonomy = {}

---The whole tracking plan as one document, to be kept in version control.
---@return table? result
---@return tidewheel.Error? err
function Taxonomy:pull() end

---As its namesake, without waiting.
---@param callback? fun(found: table?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Taxonomy:pull_start(callback) end

---Compares a document with the project's plan; nothing is changed. Form and values of the document
---are checked before anything is sent.
---@param changes table a document, or a part of one
---@param options? tidewheel.PlanOptions
---@return tidewheel.PlanDiff? result
---@return tidewheel.Error? err
function Taxonomy:plan(changes, options) end

---Makes the changes, one after the other; all are checked before the first is made.
---@param changes tidewheel.PlanDiff
---@return integer? made
---@return tidewheel.Error? err those before it were made
---@return integer? done in that case their number
function Taxonomy:apply(changes) end
