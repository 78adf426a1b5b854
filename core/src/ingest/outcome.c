/* SPDX-License-Identifier: MIT */
/* What the answer to a batch means for its events. */
#include "ingest/outcome.h"

#include "ingest/lanes.h"

#include <stdio.h>
#include <string.h>

/*
 * Answers: response tables of the Amplitude HTTP V2 and Batch API docs, read 2026-11-23,
 * and what is seen on the wire beyond them: `events_with_invalid_id_lengths`, a key
 * behind "Invalid API key: ", a 2xx whose body carries the code of an error.
 */
enum {
    HOLD_MS = 30000, /* wait for a throttled id: 30 s (HTTP V2), 15 s (batch) */
    HOLD_BATCH_MS = 15000,
    HOLD_QUOTA_MS = 3600000, /* the 24 h quota moves in steps of an hour */
    /* More is taken for so much, and not for a mistake: to ask again each minute would be no help
     * to a server that wants an hour. */
    RETRY_AFTER_MAX_MS = 300000
};

typedef struct answer {
    int is_object; /* valid JSON, and an object */
    int64_t code;
    int64_t ingested;
    int named;     /* at least one index was listed */
    int misnamed;  /* an index that cannot be one: no list is to be trusted */
    int quota;     /* a daily quota is used up */
    int throttled; /* an id is too fast */
    char error[160];
    char missing[64];
} answer;

static void text_keep(char *out, size_t room, const tw_json_token *token)
{
    size_t size = token->size < room - 1 ? token->size : room - 1;

    while (size < token->size && size > 0 &&
           ((unsigned char)token->text[size] & 0xC0) == 0x80)
        size--;
    memcpy(out, token->text, size);
    out[size] = '\0';
}

static int token_is(const tw_json_token *token, const char *text)
{
    return token->size == strlen(text) && memcmp(token->text, text, token->size) == 0;
}

static int starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Reads past the value whose first token is at hand. */
static int value_rest(tw_json_reader *rd, const tw_json_token *first)
{
    unsigned depth = first->kind == TW_JSON_OBJECT || first->kind == TW_JSON_ARRAY;
    tw_json_token token;

    while (depth > 0) {
        if (tw_json_reader_next(rd, &token) != TW_OK)
            return TW_E_PROTOCOL;
        if (token.kind == TW_JSON_OBJECT || token.kind == TW_JSON_ARRAY)
            depth++;
        else if (token.kind == TW_JSON_OBJECT_END || token.kind == TW_JSON_ARRAY_END)
            depth--;
    }
    return TW_OK;
}

/* ---- lists of indexes -------------------------------------------------------------- */

/* A place for a reason; the last is shared when the server finds more than we have room
 * for. */
static unsigned char reason_mark(tw_verdict *verdict, const char *field)
{
    size_t i;

    for (i = 0; i < verdict->reason_count; i++) {
        if (strcmp(verdict->reasons[i].field, field) == 0)
            return (unsigned char)(TW_MARK_REJECT + i);
    }
    if (i < TW_REASONS) {
        verdict->reason_count++;
        snprintf(verdict->reasons[i].field, sizeof verdict->reasons[i].field, "%s",
                 field);
    } else {
        i = TW_REASONS - 1;
        verdict->reasons[i].field[0] = '\0';
    }
    return (unsigned char)(TW_MARK_REJECT + i);
}

/* An array of indexes, all of which get `mark`; a refusal is stronger than a delay. */
static int read_indexes(answer *ans, tw_verdict *verdict, size_t count,
                        unsigned char mark, tw_json_reader *rd,
                        const tw_json_token *first)
{
    tw_json_token token;

    if (first->kind != TW_JSON_ARRAY) {
        ans->misnamed |= first->kind != TW_JSON_NULL;
        return value_rest(rd, first);
    }
    for (;;) {
        if (tw_json_reader_next(rd, &token) != TW_OK)
            return TW_E_PROTOCOL;
        if (token.kind == TW_JSON_ARRAY_END)
            return TW_OK;
        if (token.kind != TW_JSON_INT || token.integer < 0 ||
            (uint64_t)token.integer >= count) {
            ans->misnamed = 1;
            if (value_rest(rd, &token) != TW_OK)
                return TW_E_PROTOCOL;
            continue;
        }
        ans->named = 1;
        if (mark > verdict->marks[token.integer])
            verdict->marks[token.integer] = mark;
    }
}

/* {"field":[indexes], ...} */
static int read_fields(answer *ans, tw_verdict *verdict, size_t count, tw_json_reader *rd,
                       const tw_json_token *first)
{
    tw_json_token token;
    char field[64];
    int rc;

    if (first->kind != TW_JSON_OBJECT) {
        ans->misnamed |= first->kind != TW_JSON_NULL;
        return value_rest(rd, first);
    }
    for (;;) {
        if (tw_json_reader_next(rd, &token) != TW_OK)
            return TW_E_PROTOCOL;
        if (token.kind == TW_JSON_OBJECT_END)
            return TW_OK;
        text_keep(field, sizeof field, &token);
        if (tw_json_reader_next(rd, &token) != TW_OK)
            return TW_E_PROTOCOL;
        rc = read_indexes(ans, verdict, count, reason_mark(verdict, field), rd, &token);
        if (rc != TW_OK)
            return rc;
    }
}

/* {"id":number, ...} */
static int read_ids(int *any, tw_verdict *verdict, char kind, int quota,
                    tw_json_reader *rd, const tw_json_token *first)
{
    tw_json_token token;

    if (first->kind != TW_JSON_OBJECT)
        return value_rest(rd, first);
    if (tw_json_reader_next(rd, &token) != TW_OK)
        return TW_E_PROTOCOL;
    while (token.kind != TW_JSON_OBJECT_END) {
        *any = 1;
        if (verdict->name_count < TW_BATCH_EVENTS_MAX) {
            verdict->names[verdict->name_count].quota = quota;
            verdict->names[verdict->name_count++].lane =
                tw__lane_of(kind, token.text, token.size);
        }
        if (tw_json_reader_skip(rd) != TW_OK || tw_json_reader_next(rd, &token) != TW_OK)
            return TW_E_PROTOCOL;
    }
    return TW_OK;
}

/* ---- the body ---------------------------------------------------------------------- */

typedef enum member {
    MEMBER_OTHER,
    MEMBER_CODE,
    MEMBER_INGESTED,
    MEMBER_ERROR,
    MEMBER_MISSING,
    MEMBER_FIELDS,
    MEMBER_SILENCED,
    MEMBER_THROTTLED,
    MEMBER_QUOTA_USERS,
    MEMBER_QUOTA_DEVICES,
    MEMBER_THROTTLED_USERS,
    MEMBER_THROTTLED_DEVICES
} member;

static member member_of(const tw_json_token *key)
{
    static const struct {
        const char *name;
        member member;
    } members[] = {
        {"code", MEMBER_CODE},
        {"events_ingested", MEMBER_INGESTED},
        {"error", MEMBER_ERROR},
        {"missing_field", MEMBER_MISSING},
        {"silenced_events", MEMBER_SILENCED},
        {"throttled_events", MEMBER_THROTTLED},
        {"exceeded_daily_quota_users", MEMBER_QUOTA_USERS},
        {"exceeded_daily_quota_devices", MEMBER_QUOTA_DEVICES},
        {"throttled_users", MEMBER_THROTTLED_USERS},
        {"throttled_devices", MEMBER_THROTTLED_DEVICES},
    };
    static const char fields[] = "events_with_";
    size_t i;

    for (i = 0; i < sizeof members / sizeof *members; i++) {
        if (token_is(key, members[i].name))
            return members[i].member;
    }
    return key->size > sizeof fields - 1 &&
                   memcmp(key->text, fields, sizeof fields - 1) == 0
               ? MEMBER_FIELDS
               : MEMBER_OTHER;
}

static int read_member(answer *ans, tw_verdict *verdict, size_t count, member what,
                       tw_json_reader *rd, const tw_json_token *value)
{
    switch (what) {
    case MEMBER_CODE:
        if (value->kind == TW_JSON_INT)
            ans->code = value->integer;
        break;
    case MEMBER_INGESTED:
        if (value->kind == TW_JSON_INT)
            ans->ingested = value->integer;
        break;
    case MEMBER_ERROR:
        if (value->kind == TW_JSON_STRING)
            text_keep(ans->error, sizeof ans->error, value);
        break;
    case MEMBER_MISSING:
        if (value->kind == TW_JSON_STRING)
            text_keep(ans->missing, sizeof ans->missing, value);
        break;
    case MEMBER_FIELDS:
        return read_fields(ans, verdict, count, rd, value);
    case MEMBER_SILENCED:
        return read_indexes(ans, verdict, count, reason_mark(verdict, "device_id"), rd,
                            value);
    case MEMBER_THROTTLED:
        return read_indexes(ans, verdict, count, TW_MARK_HOLD, rd, value);
    case MEMBER_QUOTA_USERS:
        return read_ids(&ans->quota, verdict, 'u', 1, rd, value);
    case MEMBER_QUOTA_DEVICES:
        return read_ids(&ans->quota, verdict, 'd', 1, rd, value);
    case MEMBER_THROTTLED_USERS:
        return read_ids(&ans->throttled, verdict, 'u', 0, rd, value);
    case MEMBER_THROTTLED_DEVICES:
        return read_ids(&ans->throttled, verdict, 'd', 0, rd, value);
    case MEMBER_OTHER:
        break;
    }
    return value_rest(rd, value);
}

static int read_object(answer *ans, tw_verdict *verdict, size_t count, tw_json_reader *rd)
{
    tw_json_token token;
    member what;

    if (tw_json_reader_next(rd, &token) != TW_OK || token.kind != TW_JSON_OBJECT)
        return TW_E_PROTOCOL;
    for (;;) {
        if (tw_json_reader_next(rd, &token) != TW_OK)
            return TW_E_PROTOCOL;
        if (token.kind == TW_JSON_OBJECT_END)
            break;
        what = member_of(&token);
        if (tw_json_reader_next(rd, &token) != TW_OK ||
            read_member(ans, verdict, count, what, rd, &token) != TW_OK)
            return TW_E_PROTOCOL;
    }
    if (tw_json_reader_next(rd, &token) != TW_OK || token.kind != TW_JSON_EOF)
        return TW_E_PROTOCOL;
    return TW_OK;
}

static void read_answer(answer *ans, tw_verdict *verdict, const tw_outcome *outcome,
                        size_t count, tw_json_reader *rd)
{
    size_t i;

    memset(ans, 0, sizeof *ans);
    ans->ingested = -1;
    memset(verdict->marks, TW_MARK_KEEP, count);
    verdict->reason_count = 0;
    verdict->name_count = 0;
    memset(verdict->reasons, 0, sizeof verdict->reasons);
    if (outcome->body == NULL ||
        tw_json_reader_start(rd, outcome->body, outcome->body_size) != TW_OK)
        return;
    if (read_object(ans, verdict, count, rd) != TW_OK) {
        memset(ans, 0, sizeof *ans);
        ans->ingested = -1;
        return;
    }
    ans->is_object = 1;
    /* The server repeats the key behind this text: it goes no further. */
    if (starts_with(ans->error, "Invalid API key"))
        ans->error[sizeof "Invalid API key" - 1] = '\0';
    for (i = 0; i < verdict->reason_count; i++)
        memcpy(verdict->reasons[i].text, ans->error, sizeof ans->error);
}

/* ---- judgement --------------------------------------------------------------------- */

static void judge(tw_verdict *verdict, tw_verdict_kind kind, tw_stored stored)
{
    verdict->kind = kind;
    verdict->stored = stored;
}

static void judge_pause(tw_verdict *verdict, int code)
{
    judge(verdict, TW_VERDICT_PAUSE, TW_STORED_NO);
    verdict->code = code;
}

static void judge_400(tw_verdict *verdict, const answer *ans)
{
    if (!ans->is_object || starts_with(ans->error, "Missing request body")) {
        /* Not the API's own answer, or our body got lost on the way: no event is to
         * blame. */
        judge(verdict, TW_VERDICT_RETRY, TW_STORED_NO);
    } else if (starts_with(ans->error, "Invalid API key") ||
               strcmp(ans->missing, "api_key") == 0) {
        judge_pause(verdict, TW_E_AUTH);
    } else if (starts_with(ans->error, "Invalid request path")) {
        judge_pause(verdict, TW_E_HTTP);
    } else if (ans->named && !ans->misnamed) {
        judge(verdict, TW_VERDICT_LISTED, TW_STORED_NO);
    } else {
        judge(verdict, TW_VERDICT_SUSPECT, TW_STORED_NO);
    }
}

static void judge_2xx(tw_verdict *verdict, const answer *ans, size_t count)
{
    if (!ans->is_object || ans->code != 200 || ans->ingested < 0)
        judge(verdict, TW_VERDICT_RETRY, TW_STORED_MAYBE);
    else if ((uint64_t)ans->ingested != count)
        judge(verdict, TW_VERDICT_SHORT, TW_STORED_MAYBE);
    else
        judge(verdict, TW_VERDICT_STORED, TW_STORED_YES);
}

/* No answer, or one that broke off. */
static int broken(const tw_outcome *outcome)
{
    int code = tw_error_code(outcome->err);

    return outcome->head.status == 0 || code == TW_E_NETWORK || code == TW_E_TIMEOUT ||
           code == TW_E_CANCELED || code == TW_E_CLOSED || code == TW_E_NOMEM ||
           (outcome->err != NULL && outcome->head.status >= 200 &&
            outcome->head.status < 300);
}

/* A certificate that was refused is refused again a second later: no server's fault. */
static int refused_certificate(const tw_outcome *outcome)
{
    return outcome->head.status == 0 && tw_error_code(outcome->err) == TW_E_NETWORK &&
           !tw_error_retriable(outcome->err);
}

static void judge_status(tw_verdict *verdict, const answer *ans, int status, size_t count)
{
    if (status >= 200 && status < 300)
        judge_2xx(verdict, ans, count);
    else if (status < 400 || status == 408 || status == 425)
        judge(verdict, TW_VERDICT_RETRY, status == 425 ? TW_STORED_NO : TW_STORED_MAYBE);
    else if (status == 400)
        judge_400(verdict, ans);
    else if (status == 413)
        judge(verdict, TW_VERDICT_TOO_LARGE, TW_STORED_NO);
    else if (status == 429 && ans->named && !ans->misnamed)
        judge(verdict, TW_VERDICT_LISTED, TW_STORED_NO);
    else if (status == 429)
        judge(verdict, TW_VERDICT_THROTTLED, TW_STORED_NO);
    else if (status < 500)
        judge_pause(verdict, status == 401 || status == 403 ? TW_E_AUTH : TW_E_HTTP);
    else /* 503 is documented as not stored, the others are not */
        judge(verdict, TW_VERDICT_RETRY, status == 503 ? TW_STORED_NO : TW_STORED_MAYBE);
}

/* Sets how long those wait that the server named, and those that it only listed. */
static void hold_times(tw_verdict *verdict, const answer *ans, int64_t asked,
                       int is_batch)
{
    int64_t wait = is_batch ? HOLD_BATCH_MS : HOLD_MS;
    size_t i;

    if (asked > wait)
        wait = asked;
    for (i = 0; i < verdict->name_count; i++)
        verdict->names[i].wait_ms = verdict->names[i].quota ? HOLD_QUOTA_MS : wait;
    verdict->wait_ms = ans->quota && !ans->throttled ? HOLD_QUOTA_MS : wait;
}

void tw__verdict_read(tw_verdict *verdict, const tw_outcome *outcome, size_t count,
                      int is_batch, tw_json_reader *rd)
{
    int64_t asked = outcome->head.retry_after_ms;
    int status = outcome->head.status;
    answer ans;

    if (count > TW_BATCH_EVENTS_MAX)
        count = TW_BATCH_EVENTS_MAX;
    read_answer(&ans, verdict, outcome, count, rd);
    verdict->status = status;
    verdict->code = TW_OK;
    verdict->wait_ms = 0;
    if (refused_certificate(outcome)) {
        judge(verdict, TW_VERDICT_PAUSE, outcome->stored);
        verdict->code = TW_E_NETWORK;
        snprintf(ans.error, sizeof ans.error, "%s", tw_error_message(outcome->err));
    } else if (broken(outcome)) {
        judge(verdict, TW_VERDICT_RETRY, outcome->stored);
    } else {
        if (status >= 200 && status < 300 && ans.is_object && ans.code >= 400 &&
            ans.code < 600)
            status = (int)ans.code;
        judge_status(verdict, &ans, status, count);
    }
    verdict->status = status;
    if (verdict->stored == TW_STORED_NO && outcome->stored == TW_STORED_MAYBE)
        verdict->stored = TW_STORED_MAYBE; /* it had been sent once before this answer */
    if (verdict->kind ==
        TW_VERDICT_THROTTLED) /* its lists, if any, are not to be trusted */
        memset(verdict->marks, TW_MARK_KEEP, count);
    if (asked > RETRY_AFTER_MAX_MS)
        asked = RETRY_AFTER_MAX_MS;
    if (verdict->kind == TW_VERDICT_LISTED || verdict->kind == TW_VERDICT_THROTTLED)
        hold_times(verdict, &ans, asked, is_batch);
    else if (asked > 0)
        verdict->wait_ms = asked;
    if (verdict->kind >= TW_VERDICT_SUSPECT) {
        /* For the one event that is left in the end, and for who hears of a pause. */
        memset(verdict->reasons, 0, sizeof verdict->reasons[0]);
        memcpy(verdict->reasons[0].text, ans.error, sizeof ans.error);
        verdict->reason_count = 1;
    }
}
