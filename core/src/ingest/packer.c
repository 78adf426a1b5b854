/* SPDX-License-Identifier: MIT */
/* Batches: frozen records laid out as the body of one request. */
#define _GNU_SOURCE
#include "ingest/packer.h"

#include <string.h>

#include "base/alloc.h"

static const char body_end[] = "]}";
enum {
    END_SIZE = sizeof body_end - 1,
    /* Of a batch that takes what comes, and of one that is made of another: thousands of these may
     * wait with an event each. */
    FIRST_ROOM = 32 << 10,
    FIRST_RECORDS = 64,
    PART_ROOM = 512,
    PART_RECORDS = 4
};

int tw__batch_new(tw_batch **out, size_t head)
{
    tw_batch *batch = tw__alloc_zero(1, sizeof *batch);

    *out = batch;
    if (batch == NULL)
        return TW_E_NOMEM;
    batch->head = head;
    batch->size = head;
    return TW_OK;
}

/* The head holds the API key. It stands right before the first record. */
static void head_wipe(tw_batch *batch)
{
    if (batch->data != NULL) {
        size_t at =
            batch->first < batch->count ? batch->records[batch->first].at : batch->head;

        explicit_bzero(batch->data + at - batch->head, batch->head);
    }
}

void tw__batch_free(tw_batch *batch)
{
    if (batch == NULL)
        return;
    head_wipe(batch);
    tw__free(batch->data);
    tw__free(batch->records);
    tw__free(batch);
}

void tw__batch_reset(tw_batch *batch)
{
    head_wipe(batch);
    batch->next = NULL;
    batch->size = batch->head;
    batch->first = 0;
    batch->count = 0;
    batch->due_ms = 0;
    batch->resent = 0;
    batch->use_batch = 0;
    batch->laned = 0;
    batch->short_ack = 0;
    batch->failed = 0;
    batch->probe = 0;
    batch->doubted = 0;
    batch->suspect = 0;
    batch->split = 0;
    batch->seen = 0;
    batch->unknown = 0;
    batch->guilty = 0;
    batch->tells = 0;
}

size_t tw__batch_count(const tw_batch *batch)
{
    return batch->count - batch->first;
}

size_t tw__batch_bytes(const tw_batch *batch)
{
    size_t count = tw__batch_count(batch);

    return count != 0 ? batch->size - batch->records[batch->first].at - (count - 1) : 0;
}

size_t tw__batch_body_size(const tw_batch *batch)
{
    size_t count = tw__batch_count(batch);

    return batch->head + END_SIZE + tw__batch_bytes(batch) + (count > 1 ? count - 1 : 0);
}

int tw__batch_fits(const tw_batch *batch, size_t record_size,
                   const tw_batch_limits *limits)
{
    size_t count = tw__batch_count(batch);
    size_t size = tw__batch_body_size(batch) + (count != 0);

    return count < limits->events && size <= limits->bytes &&
           record_size <= limits->bytes - size;
}

static int data_reserve(tw_batch *batch, size_t more, size_t least)
{
    size_t need = batch->size + more + END_SIZE;
    size_t room = batch->room < least ? least : batch->room;
    char *data;

    if (need <= batch->room)
        return TW_OK;
    if (need > UINT32_MAX || more > UINT32_MAX)
        return TW_E_NOMEM; /* limits are far below: tw_record.at has 32 bits */
    while (room < need)
        room *= 2;
    data = tw__realloc(batch->data, room);
    if (data == NULL)
        return TW_E_NOMEM;
    batch->data = data;
    batch->room = room;
    return TW_OK;
}

static int records_reserve(tw_batch *batch, size_t more, size_t least)
{
    size_t need = batch->count + more;
    size_t room = batch->records_room < least ? least : batch->records_room;
    tw_record *records;

    if (need <= batch->records_room)
        return TW_OK;
    while (room < need)
        room *= 2;
    records = tw__realloc(batch->records, room * sizeof *records);
    if (records == NULL)
        return TW_E_NOMEM;
    batch->records = records;
    batch->records_room = (uint32_t)room;
    return TW_OK;
}

void tw__batch_expect(tw_batch *batch, size_t size, size_t count)
{
    size_t room = size + END_SIZE;

    if (room > batch->room && room > FIRST_ROOM && size < UINT32_MAX) {
        tw__free(batch->data); /* to grow it would copy what is of no use */
        batch->data = tw__alloc(room);
        batch->room = batch->data != NULL ? room : 0;
    }
    if (count > batch->records_room && count > FIRST_RECORDS && count < UINT32_MAX) {
        tw__free(batch->records);
        batch->records = tw__alloc(count * sizeof *batch->records);
        batch->records_room = batch->records != NULL ? (uint32_t)count : 0;
    }
}

/* Takes the place, which has been reserved, for a record like this one. */
static tw_record *record_put(tw_batch *batch, const tw_record *like)
{
    tw_record *record = &batch->records[batch->count];

    if (batch->count != batch->first)
        batch->data[batch->size++] = ',';
    else
        batch->oldest_ms = like->accepted_ms;
    if (like->accepted_ms < batch->oldest_ms)
        batch->oldest_ms = like->accepted_ms;
    *record = *like;
    record->at = (uint32_t)batch->size;
    batch->size += like->size;
    batch->count++;
    return record;
}

int64_t tw__batch_oldest(tw_batch *batch)
{
    uint32_t i;

    if (batch->oldest_ms != TW_OLDEST_UNKNOWN)
        return batch->oldest_ms;
    batch->oldest_ms = INT64_MAX;
    for (i = batch->first; i < batch->count; i++) {
        if (batch->records[i].accepted_ms < batch->oldest_ms)
            batch->oldest_ms = batch->records[i].accepted_ms;
    }
    return batch->oldest_ms;
}

int tw__batch_add(tw_batch *batch, const tw_record_text *text, uint64_t seq,
                  int64_t accepted_ms)
{
    size_t size = text->head_size + text->tail_size;
    tw_record like = {
        .size = (uint32_t)size, .seq = seq, .accepted_ms = accepted_ms, .sent_ms = -1};
    tw_record *record;

    if (data_reserve(batch, size + 1, FIRST_ROOM) != TW_OK ||
        records_reserve(batch, 1, FIRST_RECORDS) != TW_OK)
        return TW_E_NOMEM;
    record = record_put(batch, &like);
    memcpy(batch->data + record->at, text->head, text->head_size);
    memcpy(batch->data + record->at + text->head_size, text->tail, text->tail_size);
    return TW_OK;
}

void tw__batch_drop_first(tw_batch *batch)
{
    if (batch->first == batch->count)
        return;
    head_wipe(batch); /* before its place is forgotten */
    if (batch->records[batch->first].accepted_ms == batch->oldest_ms)
        batch->oldest_ms = TW_OLDEST_UNKNOWN;
    batch->first++;
    if (batch->first == batch->count) {
        batch->first = 0;
        batch->count = 0;
        batch->size = batch->head;
    }
}

const char *tw__batch_body(tw_batch *batch, const char *head, size_t *size)
{
    char *body;

    *size = tw__batch_body_size(batch);
    if (tw__batch_count(batch) == 0)
        return NULL;
    body = batch->data + batch->records[batch->first].at - batch->head;
    memcpy(body, head, batch->head);
    memcpy(batch->data + batch->size, body_end, END_SIZE); /* room is always kept */
    return body;
}

static void record_copy(tw_batch *into, const tw_batch *from, const tw_record *record)
{
    const tw_record *copy = record_put(into, record);

    memcpy(into->data + copy->at, from->data + record->at, record->size);
}

void tw__batch_keep(tw_batch *batch, const unsigned char *marks, unsigned char mark)
{
    uint32_t first = batch->first;
    uint32_t count = batch->count;
    uint32_t i;

    head_wipe(batch);
    batch->size = batch->head;
    batch->first = 0;
    batch->count = 0;
    for (i = first; i < count; i++) {
        tw_record record = batch->records[i];
        const tw_record *kept;

        if (marks[i - first] != mark)
            continue;
        /* Never overtakes what is still to be moved: the records only come closer. */
        kept = record_put(batch, &record);
        memmove(batch->data + kept->at, batch->data + record.at, record.size);
    }
}

/* `marks` NULL means all. */
static int batch_copy(tw_batch *into, const tw_batch *batch, const unsigned char *marks,
                      unsigned char mark)
{
    size_t bytes = 0;
    size_t count = 0;
    uint32_t i;

    for (i = batch->first; i < batch->count; i++) {
        if (marks == NULL || marks[i - batch->first] == mark) {
            bytes += batch->records[i].size + 1;
            count++;
        }
    }
    if (data_reserve(into, bytes, PART_ROOM) != TW_OK ||
        records_reserve(into, count, PART_RECORDS) != TW_OK)
        return TW_E_NOMEM;
    for (i = batch->first; i < batch->count; i++) {
        if (marks == NULL || marks[i - batch->first] == mark)
            record_copy(into, batch, &batch->records[i]);
    }
    into->resent |= batch->resent;
    return TW_OK;
}

int tw__batch_copy(tw_batch *into, const tw_batch *batch, const unsigned char *marks,
                   unsigned char mark)
{
    return batch_copy(into, batch, marks, mark);
}

int tw__batch_append(tw_batch *into, const tw_batch *from)
{
    return batch_copy(into, from, NULL, 0);
}

int tw__batch_cut(tw_batch **out, tw_batch *batch, size_t keep)
{
    uint32_t from = batch->first + (uint32_t)keep;
    tw_batch *rest;
    size_t bytes = 0;
    uint32_t i;

    *out = NULL;
    for (i = from; i < batch->count; i++)
        bytes += batch->records[i].size + 1;
    if (tw__batch_new(&rest, batch->head) != TW_OK)
        return TW_E_NOMEM;
    if (data_reserve(rest, bytes, PART_ROOM) != TW_OK ||
        records_reserve(rest, batch->count - from, PART_RECORDS) != TW_OK) {
        tw__batch_free(rest);
        return TW_E_NOMEM;
    }
    for (i = from; i < batch->count; i++)
        record_copy(rest, batch, &batch->records[i]);
    rest->resent = batch->resent;
    rest->use_batch = batch->use_batch;
    rest->short_ack = batch->short_ack;
    rest->failed = batch->failed;
    rest->suspect = batch->suspect;
    rest->seen = batch->seen;
    batch->size = batch->records[from].at - 1; /* the comma goes as well */
    batch->count = from;
    batch->oldest_ms = TW_OLDEST_UNKNOWN;
    *out = rest;
    return TW_OK;
}
