/* SPDX-License-Identifier: MIT */
/* How each event ended, told one by one to who asked for it. */
#include <string.h>

#include <tidewheel/json.h>

#include "base/alloc.h"
#include "ingest/ingest_internal.h"
#include "ingest/members.h"

enum { ENDS_MOST = 100000, ID_DEPTH = 2 };

struct tw_event_outcome {
    tw_event_outcome *next;
    tw_final state;
    int status;
    const char *insert_id; /* behind the struct, as the reason */
    const char *reason;
    char text[];
};

static const char *const names[TW_FINAL_COUNT] = {
    [TW_FINAL_STORED] = "stored",       [TW_FINAL_REJECTED] = "rejected",
    [TW_FINAL_UNCERTAIN] = "uncertain", [TW_FINAL_EXPIRED] = "expired",
    [TW_FINAL_DROPPED] = "dropped",     [TW_FINAL_LOST] = "lost",
    [TW_FINAL_MERGED] = "merged"};

/* The insert_id as it is written; every record has one. */
static void find_id(tw_member *out, const char *text, size_t size)
{
    const char *at = tw__members_begin(text);

    memset(out, 0, sizeof *out);
    out->value = text;
    do {
        at = tw__members_next(out, at, text + size);
    } while (at != NULL && !tw__member_is(out, "insert_id"));
    if (at == NULL)
        out->size = 0;
}

/* Into `out`, which has room for the text as it is written: the escapes make it only shorter. */
static void put_id(char *out, const tw_member *member)
{
    tw_json_reader *rd = NULL;
    tw_json_token token;
    size_t size = member->size >= 2 ? member->size - 2 : 0;

    memcpy(out, member->value + (size != 0), size);
    out[size] = '\0';
    if (memchr(out, '\\', size) == NULL ||
        tw_json_reader_new(&rd, ID_DEPTH, member->size, NULL) != TW_OK)
        return;
    if (tw_json_reader_start(rd, member->value, member->size) == TW_OK &&
        tw_json_reader_next(rd, &token) == TW_OK && token.kind == TW_JSON_STRING) {
        memcpy(out, token.text, token.size);
        out[token.size] = '\0';
    }
    tw_json_reader_free(rd);
}

char *tw__insert_id_of(const char *text, size_t size)
{
    tw_member id;
    char *out;

    find_id(&id, text, size);
    out = tw__alloc(id.size + 1);
    if (out != NULL)
        put_id(out, &id);
    return out;
}

static tw_event_outcome *end_shift(tw_ingest *ing)
{
    tw_event_outcome *first = ing->ends;

    if (first == NULL)
        return NULL;
    ing->ends = first->next;
    if (ing->ends == NULL)
        ing->ends_last = NULL;
    ing->end_count--;
    return first;
}

void tw__end_add(tw_ingest *ing, const tw_batch *batch, size_t index, tw_final state,
                 int status, const char *reason)
{
    const tw_record *record = &batch->records[batch->first + index];
    size_t reason_size = reason != NULL ? strlen(reason) : 0;
    tw_event_outcome *end;
    tw_member id;

    find_id(&id, batch->data + record->at, record->size);
    end = tw__alloc(sizeof *end + id.size + 1 + reason_size + 1);
    if (end == NULL) {
        ing->ends_missed++;
        return;
    }
    end->next = NULL;
    end->state = state;
    end->status = status;
    end->insert_id = end->text;
    end->reason = end->text + id.size + 1;
    put_id(end->text, &id);
    memcpy(end->text + id.size + 1, reason != NULL ? reason : "", reason_size + 1);
    if (ing->ends_last != NULL)
        ing->ends_last->next = end;
    else
        ing->ends = end;
    ing->ends_last = end;
    if (++ing->end_count > ENDS_MOST) {
        tw_event_outcome_free(end_shift(ing));
        ing->ends_missed++;
    }
}

int tw__end_next(tw_event_outcome **out, tw_ingest *ing)
{
    pthread_mutex_lock(&ing->lock);
    *out = end_shift(ing);
    pthread_mutex_unlock(&ing->lock);
    return *out != NULL ? TW_OK : TW_AGAIN;
}

void tw__ends_clear(tw_ingest *ing)
{
    while (ing->ends != NULL)
        tw_event_outcome_free(end_shift(ing));
}

const char *tw_event_outcome_insert_id(const tw_event_outcome *outcome)
{
    return outcome->insert_id;
}

const char *tw_event_outcome_state(const tw_event_outcome *outcome)
{
    return names[outcome->state];
}

const char *tw_event_outcome_reason(const tw_event_outcome *outcome)
{
    return outcome->reason;
}

int tw_event_outcome_status(const tw_event_outcome *outcome)
{
    return outcome->status;
}

void tw_event_outcome_free(tw_event_outcome *outcome)
{
    tw__free(outcome);
}
