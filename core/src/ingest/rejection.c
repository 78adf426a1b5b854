/* SPDX-License-Identifier: MIT */
/* Events the server refused for good, kept until their owner asks. */
#include <string.h>

#include "base/alloc.h"
#include "ingest/ingest_internal.h"

enum { MAX_COUNT = 1000, MAX_BYTES = 4 << 20 };

static tw_rejection *rejection_shift(tw_ingest *ing)
{
    tw_rejection *first = ing->rejections;

    if (first == NULL)
        return NULL;
    ing->rejections = first->next;
    if (ing->rejections == NULL)
        ing->rejections_last = NULL;
    ing->rejection_count--;
    ing->rejection_bytes -= first->size;
    first->next = NULL;
    return first;
}

/* Without memory the event is still counted as rejected; only its text is gone. */
void tw__rejection_add(tw_ingest *ing, const tw_batch *batch, size_t index,
                       const tw_reason *reason, int status)
{
    const tw_record *record = &batch->records[batch->first + index];
    tw_rejection *entry = tw__alloc(sizeof *entry + record->size);

    if (entry == NULL) {
        ing->rejections_missed++;
        return;
    }
    entry->next = NULL;
    entry->size = record->size;
    entry->status = status;
    memcpy(entry->field, reason->field, sizeof entry->field);
    memcpy(entry->reason, reason->text, sizeof entry->reason);
    memcpy(entry->event, batch->data + record->at, record->size);
    if (ing->rejections_last != NULL)
        ing->rejections_last->next = entry;
    else
        ing->rejections = entry;
    ing->rejections_last = entry;
    ing->rejection_count++;
    ing->rejection_bytes += entry->size;
    while (ing->rejection_count > 1 &&
           (ing->rejection_count > MAX_COUNT || ing->rejection_bytes > MAX_BYTES)) {
        tw_rejection_free(rejection_shift(ing));
        ing->rejections_missed++;
    }
}

int tw__rejection_next(tw_rejection **out, tw_ingest *ing)
{
    pthread_mutex_lock(&ing->lock);
    *out = rejection_shift(ing);
    pthread_mutex_unlock(&ing->lock);
    return *out != NULL ? TW_OK : TW_AGAIN;
}

void tw__rejections_clear(tw_ingest *ing)
{
    while (ing->rejections != NULL)
        tw_rejection_free(rejection_shift(ing));
}

const char *tw_rejection_event(const tw_rejection *rejection, size_t *size)
{
    *size = rejection->size;
    return rejection->event;
}

const char *tw_rejection_field(const tw_rejection *rejection)
{
    return rejection->field[0] != '\0' ? rejection->field : NULL;
}

const char *tw_rejection_reason(const tw_rejection *rejection)
{
    return rejection->reason;
}

int tw_rejection_status(const tw_rejection *rejection)
{
    return rejection->status;
}

void tw_rejection_free(tw_rejection *rejection)
{
    tw__free(rejection);
}
