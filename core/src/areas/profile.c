/* SPDX-License-Identifier: MIT */
/* The profile of one user. */
#include <string.h>

#include "areas/arguments.h"
#include "areas/form.h"
#include "base/error.h"

/* Source: Amplitude User Profile API docs, read 2026-11-27. */

static const tw_argument arguments[] = {
    {.name = "user_id",
     .kind = TW_KIND_TEXT,
     .flags = TW_FILLED,
     .doc = "whose profile; or `device_id`"},
    {.name = "device_id",
     .kind = TW_KIND_TEXT,
     .flags = TW_FILLED,
     .doc = "whose profile; or `user_id`"},
    {.name = "properties",
     .sent = "get_amp_props",
     .kind = TW_KIND_BOOL,
     .flags = TW_ONLY_TRUE,
     .doc = "ask for all user properties"},
    {.name = "cohorts",
     .sent = "get_cohort_ids",
     .kind = TW_KIND_BOOL,
     .flags = TW_ONLY_TRUE,
     .doc = "ask for the ids of the cohorts synced to the profile API"},
    {.name = "recommendations",
     .sent = "rec_id",
     .kind = TW_KIND_LIST,
     .flags = TW_FILLED,
     .with = "get_recs=true",
     .doc = "ids of recommendations"},
    {.name = "recommendation_type",
     .sent = "rec_type",
     .kind = TW_KIND_TEXT,
     .choices = "model|random",
     .doc = "instead of what the control setting says"},
    {.name = "computations",
     .sent = "comp_id",
     .kind = TW_KIND_LIST,
     .flags = TW_FILLED | TW_OR_BOOL,
     .with = "get_computations=true",
     .doc = "ids of computations, or true for all that are enabled"},
    {.name = "predictions",
     .sent = "prediction_id",
     .kind = TW_KIND_LIST,
     .flags = TW_FILLED,
     .with = "get_propensity=true",
     .doc = "ids of predictions"},
    {.name = "propensity_type",
     .kind = TW_KIND_TEXT,
     .choices = "score|pct",
     .doc = "the raw score or the percentile"},
};

static const tw_member members[] = {
    {"user_id", NULL, TW_MEMBER_ANY, NULL},
    {"device_id", NULL, TW_MEMBER_ANY, NULL},
    {"properties", "amp_props", TW_MEMBER_ANY, NULL},
    {"cohort_ids", NULL, TW_MEMBER_LIST, NULL},
    {"propensity", NULL, TW_MEMBER_NUMBER, NULL},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static const tw_member recommendation_members[] = {
    {"rec_id", NULL, TW_MEMBER_ANY, NULL},
    {"child_rec_id", NULL, TW_MEMBER_ANY, NULL},
    {"items", NULL, TW_MEMBER_LIST, "[]"},
    {"is_control", NULL, TW_MEMBER_ANY, "false"},
    {"recommendation_source", NULL, TW_MEMBER_ANY, NULL},
    {"last_updated", NULL, TW_MEMBER_NUMBER, NULL},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static const tw_member propensity_members[] = {
    {"prediction_id", "pred_id", TW_MEMBER_ANY, NULL},
    {"propensity", "prop", TW_MEMBER_NUMBER, NULL},
    {"propensity_type", "prop_type", TW_MEMBER_ANY, NULL},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static int needs(const tw_given *given, const char *name, const char *other,
                 tw_error **err)
{
    size_t size;

    if (tw__given(given, name, &size) == NULL || tw__given(given, other, &size) != NULL)
        return TW_OK;
    return tw__error_at(err, TW_E_VALIDATION, name, "%s was given without %s", name,
                        other);
}

static int check(const tw_given *given, tw_error **err)
{
    size_t size;
    int rc;

    if (tw__given(given, "user_id", &size) == NULL &&
        tw__given(given, "device_id", &size) == NULL)
        return tw__error_at(err, TW_E_VALIDATION, "user_id",
                            "user_id and device_id were missing: one of them is needed");
    rc = needs(given, "recommendation_type", "recommendations", err);
    return rc == TW_OK ? needs(given, "propensity_type", "predictions", err) : rc;
}

/* A list of objects, or null where it was not asked for. */
static int list_put(tw_buf *out, const char *name, const tw_member *table,
                    const char *json, size_t size)
{
    const char *list;
    size_t list_size;
    int rc = tw__form_member(&list, &list_size, name, json, size);

    if (rc == TW_OK)
        rc = tw__buf_printf(out, ",\"%s\":", name);
    if (rc != TW_OK)
        return rc;
    return list != NULL ? tw__form_list(out, table, list, list_size)
                        : tw__buf_puts(out, "null");
}

static int form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    const char *user;
    size_t user_size;
    int rc = tw__form_member(&user, &user_size, "userData", body, size);

    if (rc == TW_OK && user == NULL)
        rc = TW_E_PROTOCOL;
    if (rc == TW_OK)
        rc = tw__form_open(out, members, user, user_size);
    if (rc == TW_OK)
        rc = list_put(out, "recommendations", recommendation_members, user, user_size);
    if (rc == TW_OK)
        rc = list_put(out, "propensities", propensity_members, user, user_size);
    if (rc == TW_OK)
        rc = tw__buf_putc(out, '}');
    return tw__form_end(rc, "a profile", err);
}

const tw_operation tw__profile_operations[] = {
    {TW_EP_USERPROFILE, TW_ARGUMENTS(arguments), check, form,
     "`user_id`, `device_id`, `properties`, `cohort_ids`, `recommendations` (`rec_id`, "
     "`child_rec_id`, `items`, `is_control`, `recommendation_source`, `last_updated`), "
     "`propensity`, `propensities` (`prediction_id`, `propensity`, `propensity_type`); "
     "null where it was not asked for"},
    {TW_EP_COUNT, NULL, 0, NULL, NULL, NULL},
};
