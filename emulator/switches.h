/* SPDX-License-Identifier: MIT */
/* Named behaviour switches: where documents and live service differ, or a test wants trouble. */
#ifndef EMU_SWITCHES_H
#define EMU_SWITCHES_H

#include "json.h"

/* Sums with the clock must not overflow: some 30,000 years. */
#define EMU_MS_MAX 1000000000000000

/* id, lowest, highest, default, names ("|" between; empty for a number), meaning */
#define EMU_SWITCHES(X)                                                                  \
    X(index_lists, 0, 2, 0, "all|first|none", "event indexes named by a 400")            \
    X(short_id, 0, 1, 0, "reject|remove", "an id under min_id_length")                   \
    X(mixed_properties, 0, 1, 0, "merge|reject", "plain keys beside $ operations")       \
    X(dedupe, 0, 1, 1, "false|true", "insert_id de-duplication")                         \
    X(dedupe_window_ms, 0, EMU_MS_MAX, 604800000, "",                                    \
      "how long an insert_id is remembered")                                             \
    X(export_lag_hours, 0, 48, 0, "",                                                    \
      "whole hours before data can be exported (live: 2)")                               \
    X(export_rows_per_file, 0, INT64_MAX, 0, "",                                         \
      "rows per archive member, 0 is one per hour")                                      \
    X(export_max_bytes, 0, INT64_MAX, 4294967296, "",                                    \
      "estimated archive size answered 400")                                             \
    X(export_body, 0, 2, 0, "zip|html|empty", "body of an export answered 200")          \
    X(job_ms, 0, EMU_MS_MAX, 300, "", "duration of a cohort job")                        \
    X(job_status, 0, 3, 0, "normal|failed|never|http_500", "what a cohort job says")     \
    X(cohort_redirect, 0, 2, 0, "auto|always|never", "302 to storage for a cohort file") \
    X(cohort_inline_bytes, 0, INT64_MAX, 1048576, "",                                    \
      "largest file (plain) sent without 302")                                           \
    X(cohort_link_ms, 0, EMU_MS_MAX, 60000, "", "life of a storage link")                \
    X(cohort_encoding, 0, 2, 0, "header|raw|plain",                                      \
      "gzip announced, unannounced, or none")                                            \
    X(cohort_write_ms, 0, EMU_MS_MAX, 0, "",                                             \
      "how long a membership update keeps a cohort busy")                                \
    X(cohort_unknown_users, 0, 1, 0, "refuse|create",                                    \
      "upload ids nobody has sent events for")                                           \
    X(upload_id_key, 0, 1, 0, "cohortId|cohort_id", "key of the id in an upload answer") \
    X(membership_by_amp_id, 0, 1, 0, "false|true",                                       \
      "accept BY_AMP_ID in a membership update")                                         \
    X(taxonomy, 0, 2, 0, "available|not_found|forbidden",                                \
      "whether the plan has the API")                                                    \
    X(accounts, 0, 1, 1, "false|true", "group properties")                               \
    X(property_restore, 0, 1, 0, "200|201", "status of an event property restored")      \
    X(user_property_errors, 0, 1, 0, "text|bare", "body of a user property refused")     \
    X(profile_cohorts, 0, 1, 0, "synced|all", "cohorts that a profile names")            \
    X(profile_unknown, 0, 2, 0, "200|400|404", "status for a user never seen")           \
    X(activity_limit, 0, 1, 0, "plus_one|exact", "events a useractivity limit gives")    \
    X(activity_sessions, 0, 1, 0, "whole|cut",                                           \
      "the last session of a useractivity page")                                         \
    X(session_length, 0, 1, 0, "events|session_id",                                      \
      "a session starts with its first row or at its id")                                \
    X(limits, 0, 1, 1, "false|true", "enforce the limits below")                         \
    X(rest_concurrency, 1, 1000, 5, "", "Basic-auth requests at once")                   \
    X(users_concurrency, 1, 1000, 10, "", "user lookups at once")                        \
    X(users_per_hour, 1, INT64_MAX, 360, "", "user lookups")                             \
    X(taxonomy_concurrency, 1, 1000, 4, "", "cost of taxonomy requests at once")         \
    X(taxonomy_per_hour, 1, INT64_MAX, 7200, "", "cost of taxonomy requests")            \
    X(profiles_per_minute, 1, INT64_MAX, 600, "", "user profile requests")               \
    X(cost_limits, 0, 1, 1, "false|true", "enforce the cost of analytics queries")       \
    X(cost_per_hour, 1, INT64_MAX, 108000, "", "cost of analytics queries")              \
    X(cost_at_once, 1, INT64_MAX, 1000, "", "cost of analytics queries")                 \
    X(cost_window, 0, 1, 0, "in_flight|five_minutes", "what counts as at once")          \
    X(downloads_per_10min, 1, INT64_MAX, 60, "", "cohort download requests")             \
    X(downloads_parallel, 1, INT64_MAX, 4, "", "cohort jobs running at once")            \
    X(downloads_per_month, 1, INT64_MAX, 500, "", "cohort download requests")            \
    X(meters, 0, 1, 1, "false|true", "count the events of each id")                      \
    X(throttle, 0, 1, 1, "false|true", "refuse (429) what is over a rate or a quota")    \
    X(eps_v2, 1, 1000000, 30, "", "events/s of an id over 30 s, HTTP V2")                \
    X(eps_batch, 1, 1000000, 1000, "", "the same, batch")                                \
    X(eps_identify, 1, 1000000, 30, "", "the same, identifications")                     \
    X(daily_quota, 0, 2, 0, "always|after_spam|off",                                     \
      "when the events of an id begin to count for its day (batch)")                     \
    X(daily_events, 1, INT64_MAX, 500000, "", "events of an id in 24 hours")             \
    X(update_limit, 0, 1, 1, "false|true", "drop property updates beyond the limit")     \
    X(updates_per_hour, 0, INT32_MAX, 1800, "", "property updates of a user")            \
    X(ledger, 0, 1, 1, "false|true", "keep the fate of each insert_id")                  \
    X(ledger_entries, 0, 100000000, 2000000, "", "insert_ids kept")                      \
    X(week_start, 0, 6, 0, "monday|tuesday|wednesday|thursday|friday|saturday|sunday",   \
      "first day of weeks")                                                              \
    X(unknown_names, 0, 1, 0, "refuse|accept",                                           \
      "event types and properties never received, in a query")                           \
    X(max_event_types, 0, INT32_MAX, 2000, "", "event types that queries find")          \
    X(max_event_properties, 0, INT32_MAX, 2000, "",                                      \
      "event properties that queries find")                                              \
    X(max_user_properties, 0, INT32_MAX, 1000, "", "user properties that queries find")  \
    X(clip_edges, 0, 1, 1, "false|true", "first and last bucket end with the range")     \
    X(pct_dau_scale, 0, 1, 0, "percent|fraction", "0 to 100, or 0 to 1")                 \
    X(histogram_bins, 0, 1, 0, "distinct|ten", "one bin per number, or ten equal ones")  \
    X(who_window, 0, 1, 0, "bucket|range",                                               \
      "end of a who-performed window: of the row's bucket, or of the range")             \
    X(funnel_index_0, 0, 1, 0, "live|documented",                                        \
      "transition times at index 0: from first to last step, or 0")                      \
    X(funnel_new, 0, 1, 0, "any_day|first_day", "entries of new users that count")       \
    X(funnel_short_window, 0, 1, 0, "one_day|seconds",                                   \
      "an unordered funnel with a window below a day")                                   \
    X(retention_windows, 0, 1, 0, "rolling|calendar", "from each start, or by date")     \
    X(retention_n_day, 0, 1, 0, "refuse|accept", "the documented spelling n-day")        \
    X(ltv_first_day, 0, 1, 0, "24h|48h", "revenue that r1d holds")                       \
    X(ltv_shape, 0, 1, 0, "live|documented", "dates and keys of the answer")             \
    X(mcp_era, 0, 2, 0, "both|modern|legacy", "versions of MCP that /mcp speaks")        \
    X(mcp_reply, 0, 1, 0, "json|stream", "form of the answers of /mcp")                  \
    X(mcp_page, 0, 1000, 0, "", "tools on a page of tools/list; 0: all")                 \
    X(mcp_token_s, 1, 86400, 3600, "", "seconds that an access token lives")             \
    X(mcp_refresh_s, 1, INT32_MAX, 2592000, "", "seconds that a refresh token lives")    \
    X(journal, 0, 1, 1, "false|true", "record requests")                                 \
    X(journal_entries, 0, 10000000, 20000, "", "requests kept")                          \
    X(journal_bytes, 0, INT64_MAX, 67108864, "", "body bytes kept")

typedef enum emu_switch {
#define X(id, lo, hi, def, names, doc) SW_##id,
    EMU_SWITCHES(X)
#undef X
        SW_COUNT
} emu_switch;

typedef struct emu_switches {
    _Atomic int64_t value[SW_COUNT];
} emu_switches;

void emu_switches_reset(emu_switches *s);
void emu_switches_write(emu_switches *s, emu_buf *out); /* one JSON object */
/* Sets all of an object or none; false puts one line into err. */
bool emu_switches_set(emu_switches *s, const ej_val *object, emu_buf *err);

#endif
