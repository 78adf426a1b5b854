/* SPDX-License-Identifier: MIT */
/* Reading the whole tracking plan: all its lists, a few calls at a time. */
#include <string.h>

#include "areas/arguments.h"
#include "areas/taxonomy.h"
#include "base/alloc.h"
#include "base/error.h"
#include "gate/answer.h"
#include "net/url.h"
#include "json/parts.h"

/* Queries of cost 4 may be in flight together, and a GET costs 1 (Amplitude Taxonomy API docs, read
 * 2026-11-27). */
enum { AT_ONCE = 4, QUERY_MOST = 64 * 1024, SAID_MOST = 200 };
#define DOCUMENT_MOST ((size_t)1 << 30)

/* One list to be read. */
typedef struct pull_item {
    tw_endpoint_id endpoint;
    tw_plan_kind kind;
    char *event_type; /* whose properties */
    tw_buf list;      /* JSON array in its one form, once read */
} pull_item;

typedef struct pull pull;

typedef struct pull_slot {
    pull *pl;
    tw_call *call;
    size_t item;
} pull_slot;

struct pull {
    tw_job *job; /* borrowed: alive until it is finished */
    tw_gate *gate;
    tw_taxonomy_part part;
    pull_item *items;
    size_t count, room;
    size_t next; /* item to be asked for */
    size_t live; /* calls in flight */
    pull_slot slots[AT_ONCE];
    int sweeping;  /* calls are being cancelled: their ends are only counted */
    tw_error *err; /* why it ends early */
};

/* ---- items ------------------------------------------------------------------------- */

static int item_add(pull *pl, tw_endpoint_id endpoint, tw_plan_kind kind,
                    const char *event_type)
{
    pull_item *item;

    if (pl->count == pl->room) {
        size_t room = pl->room == 0 ? 16 : pl->room * 2;
        pull_item *more = tw__realloc(pl->items, room * sizeof *more);

        if (more == NULL)
            return TW_E_NOMEM;
        pl->items = more;
        pl->room = room;
    }
    item = &pl->items[pl->count];
    memset(item, 0, sizeof *item);
    item->endpoint = endpoint;
    item->kind = kind;
    tw__buf_init(&item->list, DOCUMENT_MOST);
    item->event_type = tw__strdup(event_type);
    if (event_type != NULL && item->event_type == NULL)
        return TW_E_NOMEM;
    pl->count++;
    return TW_OK;
}

static int items_begin(pull *pl)
{
    int rc = item_add(pl, TW_EP_TAXONOMY_EVENTS, TW_PLAN_EVENT, NULL);

    if (rc == TW_OK)
        rc = item_add(pl, TW_EP_TAXONOMY_EVENT_PROPERTIES, TW_PLAN_EVENT_PROPERTY, NULL);
    if (rc != TW_OK || pl->part == TW_TAXONOMY_EVENT_PROPERTIES)
        return rc;
    rc = item_add(pl, TW_EP_TAXONOMY_CATEGORIES, TW_PLAN_CATEGORY, NULL);
    if (rc == TW_OK)
        rc = item_add(pl, TW_EP_TAXONOMY_USER_PROPERTIES, TW_PLAN_USER_PROPERTY, NULL);
    return rc == TW_OK ? item_add(pl, TW_EP_TAXONOMY_GROUP_PROPERTIES,
                                  TW_PLAN_GROUP_PROPERTY, NULL)
                       : rc;
}

/* An item for each event of the list that was read, but for deleted ones. May move the items. */
static int items_of_events(pull *pl, const char *json, size_t json_size)
{
    tw_parts parts;
    tw_part part;
    tw_buf name;
    int rc = tw__parts_begin(&parts, json, json_size);

    tw__buf_init(&name, QUERY_MOST);
    while (rc == TW_OK) {
        const char *text, *deleted;
        size_t size, deleted_size;

        rc = tw__parts_next(&parts, &part);
        if (rc == TW_OK)
            rc =
                tw__form_member(&deleted, &deleted_size, "deleted", part.text, part.size);
        if (rc == TW_OK)
            rc = tw__form_member(&text, &size, "event_type", part.text, part.size);
        if (rc != TW_OK || text == NULL || (deleted != NULL && deleted[0] == 't'))
            continue;
        tw__buf_reset(&name);
        rc = tw__json_text(&name, text, size);
        if (rc == TW_OK)
            rc = tw__buf_putc(&name, '\0');
        if (rc == TW_OK && strlen(name.data) == name.size - 1 && name.size > 1)
            rc = item_add(pl, TW_EP_TAXONOMY_EVENT_PROPERTIES, TW_PLAN_EVENT_PROPERTY,
                          name.data);
    }
    tw__parts_end(&parts);
    tw__buf_clear(&name);
    return rc == TW_DONE ? TW_OK : rc;
}

/* ---- the end ----------------------------------------------------------------------- */

/* All properties as one list. */
static int lists_join(tw_buf *out, const pull *pl)
{
    size_t i;
    int rc = tw__buf_putc(out, '[');

    for (i = 0; rc == TW_OK && i < pl->count; i++) {
        const pull_item *item = &pl->items[i];
        tw_parts parts;
        tw_part part;

        if (item->kind != TW_PLAN_EVENT_PROPERTY)
            continue;
        rc = tw__parts_begin(&parts, item->list.data, item->list.size);
        while (rc == TW_OK) {
            rc = tw__parts_next(&parts, &part);
            if (rc != TW_OK ||
                !tw__plan_owns(item->event_type != NULL, part.text, part.size))
                continue;
            if (out->data[out->size - 1] != '[')
                rc = tw__buf_putc(out, ',');
            if (rc == TW_OK)
                rc = tw__buf_put(out, part.text, part.size);
        }
        tw__parts_end(&parts);
        rc = rc == TW_DONE ? TW_OK : rc;
    }
    return rc == TW_OK ? tw__buf_putc(out, ']') : rc;
}

static int document_make(tw_buf *out, const pull *pl)
{
    tw_plan_list *lists;
    size_t i;
    int rc;

    if (pl->part == TW_TAXONOMY_EVENT_PROPERTIES)
        return lists_join(out, pl);
    lists = tw__alloc_zero(pl->count, sizeof *lists);
    if (lists == NULL)
        return TW_E_NOMEM;
    for (i = 0; i < pl->count; i++) {
        lists[i].kind = pl->items[i].kind;
        lists[i].event_type = pl->items[i].event_type;
        lists[i].json = pl->items[i].list.data;
        lists[i].size = pl->items[i].list.size;
    }
    rc = tw__plan_compose(out, lists, pl->count, pl->part);
    tw__free(lists);
    return rc;
}

/* The state may be gone on return. */
static void pull_finish(pull *pl)
{
    tw_reply *rsp = NULL;
    tw_error *err = pl->err;
    char *body = NULL;
    size_t size = 0;
    tw_buf out;
    int rc;

    pl->err = NULL;
    if (err == NULL) {
        tw__buf_init(&out, DOCUMENT_MOST);
        rc = document_make(&out, pl);
        if (rc == TW_OK)
            body = tw__buf_take(&out, &size);
        tw__buf_clear(&out);
        if (rc == TW_OK &&
            (body == NULL || tw__reply_new(&rsp, 200, body, size) != TW_OK)) {
            tw__free(body);
            rc = TW_E_NOMEM;
        }
        if (rc != TW_OK)
            tw__form_end(rc, "the tracking plan", &err);
    }
    tw__job_finish(pl->job, rsp, err);
}

/* ---- calls ------------------------------------------------------------------------- */

static void slot_done(void *ctx, const tw_outcome *outcome);

static int query_make(tw_buf *query, const pull *pl, const pull_item *item)
{
    int deleted = pl->part == TW_TAXONOMY_STATE &&
                  (item->kind == TW_PLAN_EVENT || item->kind == TW_PLAN_USER_PROPERTY);
    int rc = TW_OK;

    if (deleted)
        rc = tw__buf_puts(query, "showDeleted=true");
    if (rc == TW_OK && item->event_type != NULL)
        rc = tw__buf_puts(query, "event_type=");
    if (rc == TW_OK && item->event_type != NULL)
        rc = tw__url_encode(query, item->event_type, strlen(item->event_type));
    return rc == TW_OK ? tw__buf_putc(query, '\0') : rc;
}

static int slot_start(pull *pl, pull_slot *slot, tw_error **err)
{
    static const tw_call_sink sink = {NULL, NULL, slot_done};
    const pull_item *item = &pl->items[pl->next];
    tw_call_spec spec;
    tw_buf query;
    int rc;

    tw__buf_init(&query, QUERY_MOST);
    rc = query_make(&query, pl, item);
    if (rc == TW_OK) {
        memset(&spec, 0, sizeof spec);
        spec.endpoint = item->endpoint;
        spec.query = query.data;
        slot->pl = pl;
        slot->item = pl->next;
        rc = tw__call_start(&slot->call, pl->gate, &spec, &sink, slot, err);
    } else {
        rc = tw__error_nomem(err);
    }
    tw__buf_clear(&query);
    if (rc == TW_OK) {
        pl->next++;
        pl->live++;
    }
    return rc;
}

/* Goes on, or ends when nothing is left. The state may be gone on return. */
static void pull_step(pull *pl)
{
    int rc = TW_OK;
    size_t i;

    for (i = 0; rc == TW_OK && pl->err == NULL && i < AT_ONCE; i++) {
        if (pl->slots[i].call == NULL && pl->next < pl->count)
            rc = slot_start(pl, &pl->slots[i], &pl->err);
    }
    if (pl->err != NULL) {
        pl->sweeping = 1;
        for (i = 0; i < AT_ONCE; i++) {
            if (pl->slots[i].call != NULL)
                tw__call_cancel(pl->slots[i].call);
        }
        pl->sweeping = 0;
    }
    if (pl->live == 0)
        pull_finish(pl);
}

/* A project without categories, without groups, or an event that went meanwhile: 400 with one of
 * these texts stands for an empty list (documented, or seen live). */
static int is_empty(const pull_item *item, const tw_outcome *outcome)
{
    char said[SAID_MOST];

    if (outcome->head.status != 400 ||
        (item->event_type == NULL && item->kind != TW_PLAN_CATEGORY &&
         item->kind != TW_PLAN_GROUP_PROPERTY))
        return 0;
    tw__answer_text(said, sizeof said, outcome->body, outcome->body_size);
    return strcasestr(said, "not found") != NULL ||
           strcasestr(said, "not enabled") != NULL;
}

static int item_take(pull *pl, pull_item *item, const tw_outcome *outcome, tw_error **err)
{
    tw_reply_form form = tw__operation(item->endpoint)->form;
    char said[SAID_MOST];
    int rc;

    if (is_empty(item, outcome))
        return tw__buf_puts(&item->list, "[]") == TW_OK ? TW_OK : tw__error_nomem(err);
    if (outcome->err != NULL) {
        *err = tw__error_copy(outcome->err);
        return tw_error_code(*err);
    }
    rc = tw__answer_refusal(said, sizeof said, outcome->body, outcome->body_size);
    if (rc != TW_OK) {
        tw__gate_redact(pl->gate, said);
        return tw__error(err, rc, "%s was refused: %s",
                         tw__endpoint(item->endpoint)->name, said);
    }
    rc = form(&item->list, outcome->body, outcome->body_size, err);
    if (rc == TW_OK && item->kind == TW_PLAN_EVENT &&
        items_of_events(pl, item->list.data, item->list.size) != TW_OK)
        rc = tw__error_nomem(err);
    return rc;
}

static void slot_done(void *ctx, const tw_outcome *outcome)
{
    pull_slot *slot = ctx;
    pull *pl = slot->pl;

    pl->live--;
    tw__job_count(pl->job, outcome->attempts, outcome->body_bytes);
    if (pl->sweeping)
        return;
    item_take(pl, &pl->items[slot->item], outcome, &pl->err);
    pull_step(pl);
}

/* ---- the job ----------------------------------------------------------------------- */

static void pull_begin(tw_job *job, void *state)
{
    pull *pl = state;

    pl->job = job;
    tw__job_set_phase(job, "requested");
    pull_step(pl);
}

static void pull_cancel(tw_job *job, void *state, int code)
{
    pull *pl = state;

    if (tw__job_finished(job) || pl->job == NULL)
        return;
    if (pl->err == NULL)
        tw__error(&pl->err, code, "the reading of the tracking plan was %s",
                  code == TW_E_CLOSED ? "ended: the client was closed" : "cancelled");
    pull_step(pl);
}

static void pull_release(void *state)
{
    pull *pl = state;
    size_t i;

    for (i = 0; i < pl->count; i++) {
        tw__free(pl->items[i].event_type);
        tw__buf_clear(&pl->items[i].list);
    }
    tw__free(pl->items);
    tw_error_free(pl->err);
    tw__free(pl);
}

int tw__taxonomy_pull_start(tw_job **out, tw_gate *gate, tw_taxonomy_part part,
                            tw_queue *queue, tw_error **err)
{
    static const tw_job_kind kind = {pull_begin, pull_cancel, NULL, pull_release};
    pull *pl;
    int rc = tw__gate_allows(gate, TW_EP_TAXONOMY_EVENTS, err);

    *out = NULL;
    if (rc != TW_OK)
        return rc;
    pl = tw__alloc_zero(1, sizeof *pl);
    if (pl == NULL)
        return tw__error_nomem(err);
    pl->gate = gate;
    pl->part = part;
    if (items_begin(pl) != TW_OK) {
        pull_release(pl);
        return tw__error_nomem(err);
    }
    return tw__job_start(out, tw__gate_loop(gate), queue, &kind, pl, err);
}
