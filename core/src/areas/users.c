/* SPDX-License-Identifier: MIT */
/* User look-up: search, and the activity of one user. */
#include <string.h>

#include "areas/arguments.h"
#include "areas/form.h"

/*
 * Sources: Amplitude Dashboard REST API docs, "User Search" and "User Activity", read 2026-11-27.
 * A limit of n may give n + 1 events, and more where a session would be cut: pages are counted by
 * what came.
 */

enum { EVENTS_MOST = 1000 };

static const tw_argument search_arguments[] = {
    {.name = "user",
     .kind = TW_KIND_TEXT,
     .flags = TW_REQUIRED | TW_FILLED | TW_OR_INT,
     .doc = "Amplitude ID, device ID, user ID, or the beginning of a user ID"},
};

static const tw_argument activity_arguments[] = {
    {.name = "amplitude_id",
     .sent = "user",
     .kind = TW_KIND_ID,
     .flags = TW_REQUIRED,
     .min = 0,
     .max = INT64_MAX,
     .doc = "of the user, as search finds it"},
    {.name = "offset",
     .kind = TW_KIND_INT,
     .min = 0,
     .max = INT64_MAX,
     .doc = "events to pass over, 0 where absent"},
    {.name = "limit",
     .kind = TW_KIND_INT,
     .min = 1,
     .max = EVENTS_MOST,
     .doc = "events wanted, 1,000 where absent; more may come"},
    {.name = "direction",
     .kind = TW_KIND_TEXT,
     .choices = "latest|earliest",
     .doc = "which events come first, latest where absent"},
};

static const tw_member match_members[] = {
    {"amplitude_id", NULL, TW_MEMBER_NUMBER, NULL},
    {"user_id", NULL, TW_MEMBER_TEXT, NULL},
    {"last_device_id", NULL, TW_MEMBER_TEXT, NULL},
    {"platform", NULL, TW_MEMBER_TEXT, NULL},
    {"country", NULL, TW_MEMBER_TEXT, NULL},
    {"last_seen", NULL, TW_MEMBER_TEXT, NULL},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

/* Numbers come as numbers or as texts, the place as one or the other or as nothing. */
static const tw_member user_members[] = {
    {"user_id", NULL, TW_MEMBER_TEXT, NULL},
    {"amplitude_id", "canonical_amplitude_id", TW_MEMBER_NUMBER, NULL},
    {"merged_amplitude_ids", NULL, TW_MEMBER_LIST, "[]"},
    {"num_events", NULL, TW_MEMBER_NUMBER, "0"},
    {"num_sessions", NULL, TW_MEMBER_NUMBER, "0"},
    {"usage_time", NULL, TW_MEMBER_NUMBER, NULL},
    {"first_used", NULL, TW_MEMBER_TEXT, NULL},
    {"last_used", NULL, TW_MEMBER_TEXT, NULL},
    {"purchases", NULL, TW_MEMBER_NUMBER, "0"},
    {"revenue", NULL, TW_MEMBER_NUMBER, "0.0"},
    {"platform", NULL, TW_MEMBER_TEXT, NULL},
    {"os", NULL, TW_MEMBER_TEXT, NULL},
    {"version", NULL, TW_MEMBER_TEXT, NULL},
    {"start_version", NULL, TW_MEMBER_TEXT, NULL},
    {"device", NULL, TW_MEMBER_TEXT, NULL},
    {"device_type", NULL, TW_MEMBER_TEXT, NULL},
    {"carrier", NULL, TW_MEMBER_TEXT, NULL},
    {"country", NULL, TW_MEMBER_TEXT, NULL},
    {"region", NULL, TW_MEMBER_TEXT, NULL},
    {"city", NULL, TW_MEMBER_TEXT, NULL},
    {"dma", NULL, TW_MEMBER_TEXT, NULL},
    {"language", NULL, TW_MEMBER_TEXT, NULL},
    {"device_ids", NULL, TW_MEMBER_LIST, "[]"},
    {"last_device_id", NULL, TW_MEMBER_TEXT, NULL},
    {"properties", NULL, TW_MEMBER_ANY, "{}"},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static const tw_member place_members[] = {
    {"lat", NULL, TW_MEMBER_NUMBER, NULL},
    {"lng", NULL, TW_MEMBER_NUMBER, NULL},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

/* The last member: the answer as it came. */
static int whole_put(tw_buf *out, const char *body, size_t size)
{
    int rc = tw__buf_puts(out, ",\"data\":");

    if (rc == TW_OK)
        rc = tw__buf_put(out, body, size);
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

/* ---- search ------------------------------------------------------------------------ */

/* {"type", "matches": [...]}; no match is an answer like the others. */
static int search_form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    const char *matches, *type;
    size_t matches_size, type_size;
    int rc = tw__form_member(&matches, &matches_size, "matches", body, size);

    if (rc == TW_OK)
        rc = tw__form_member(&type, &type_size, "type", body, size);
    if (rc == TW_OK && matches == NULL && type == NULL)
        rc = TW_E_PROTOCOL;
    if (rc == TW_OK)
        rc = tw__buf_puts(out, "{\"type\":");
    if (rc == TW_OK)
        rc = type != NULL ? tw__buf_put(out, type, type_size) : tw__buf_puts(out, "null");
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"matches\":");
    if (rc == TW_OK)
        rc = tw__form_list(out, match_members, matches, matches_size);
    if (rc == TW_OK)
        rc = whole_put(out, body, size);
    return tw__form_end(rc, "the result of a search", err);
}

/* ---- activity ---------------------------------------------------------------------- */

/* "last_location": null where neither "lat" nor "lng" is known, too. */
static int place_put(tw_buf *out, const char *user, size_t size)
{
    static const char unknown[] = "{\"lat\":null,\"lng\":null,";
    const char *place;
    size_t place_size, before;
    int rc = tw__form_member(&place, &place_size, "last_location", user, size);

    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"last_location\":");
    if (rc != TW_OK)
        return rc;
    before = out->size;
    if (place != NULL)
        rc = tw__form_object(out, place_members, place, place_size);
    if (rc == TW_OK && place != NULL &&
        (out->size - before < sizeof unknown ||
         memcmp(out->data + before, unknown, sizeof unknown - 1) != 0))
        return TW_OK;
    out->size = before;
    return rc == TW_OK ? tw__buf_puts(out, "null") : rc;
}

/* {"user": {...}, "events": [...]}; the events as they came. */
static int activity_form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    const char *user, *events;
    size_t user_size, events_size;
    int rc = tw__form_member(&user, &user_size, "userData", body, size);

    if (rc == TW_OK)
        rc = tw__form_member(&events, &events_size, "events", body, size);
    if (rc == TW_OK && user == NULL)
        rc = TW_E_PROTOCOL;
    if (rc == TW_OK)
        rc = tw__buf_puts(out, "{\"user\":");
    if (rc == TW_OK)
        rc = tw__form_open(out, user_members, user, user_size);
    if (rc == TW_OK)
        rc = place_put(out, user, user_size);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, "},\"events\":");
    if (rc == TW_OK)
        rc = events != NULL ? tw__buf_put(out, events, events_size)
                            : tw__buf_puts(out, "[]");
    if (rc == TW_OK)
        rc = whole_put(out, body, size);
    return tw__form_end(rc, "the activity of a user", err);
}

const tw_operation tw__users_operations[] = {
    {TW_EP_USERSEARCH, TW_ARGUMENTS(search_arguments), NULL, search_form,
     "`type` and `matches`: a list of `amplitude_id`, `user_id`, `last_device_id`, "
     "`platform`, `country`, `last_seen`"},
    {TW_EP_USERACTIVITY, TW_ARGUMENTS(activity_arguments), NULL, activity_form,
     "`user`: the documented `userData` with numbers as numbers and `amplitude_id` for "
     "`canonical_amplitude_id`; `events` as they came"},
    {TW_EP_COUNT, NULL, 0, NULL, NULL, NULL},
};
