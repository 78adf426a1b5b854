/* SPDX-License-Identifier: MIT */
/* Two $identify events of one user as one that means the same. */
#define _GNU_SOURCE
#include "ingest/merge.h"

#include <string.h>

#include <tidewheel/error.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "ingest/members.h"

/*
 * Only operations that may be applied again are merged: with a spool the earlier event may reach
 * the server all the same, before the merged one. $set and $unset say what a property is whatever
 * it was before; $setOnce does nothing the second time. In the result a property is named once, so
 * that the order in which the server applies the operations of an event means nothing.
 */
typedef enum operation { SET, UNSET, SET_ONCE, OPERATIONS } operation;

static const char *const operations[OPERATIONS] = {
    [SET] = "$set", [UNSET] = "$unset", [SET_ONCE] = "$setOnce"};

enum { CHANGES_MOST = 64 };

typedef struct change {
    operation operation;
    tw_member property;
} change;

typedef struct changes {
    size_t count;
    change list[CHANGES_MOST];
} changes;

static inline int is(const tw_member *value, const char *text)
{
    return value->size == strlen(text) && memcmp(value->value, text, value->size) == 0;
}

static int same(const tw_member *a, const tw_member *b)
{
    return a->key_size == b->key_size && memcmp(a->key, b->key, a->key_size) == 0;
}

static change *find(changes *all, const tw_member *property)
{
    size_t i;

    for (i = 0; i < all->count; i++) {
        if (same(&all->list[i].property, property))
            return &all->list[i];
    }
    return NULL;
}

/* ---- what an event changes ----------------------------------------------------------- */

/* Whether the server takes these for a value is not written anywhere: $setOnce after them may
 * act or not. */
static int is_nothing(const tw_member *value)
{
    return is(value, "null") || is(value, "\"\"") || is(value, "[]") || is(value, "{}");
}

/* The properties of one operation. Zero where they are not to be merged. */
static int operation_read(changes *all, operation op, const tw_member *value)
{
    const char *end = value->value + value->size;
    const char *at = tw__members_begin(value->value);
    tw_member property;

    if (value->value[0] != '{')
        return 0;
    for (;;) {
        at = tw__members_next(&property, at, end);
        if (at == NULL)
            return 1;
        /* With an escape in it a name may be written in two ways. */
        if (all->count == CHANGES_MOST || find(all, &property) != NULL ||
            memchr(property.key, '\\', property.key_size) != NULL ||
            (op != UNSET && is_nothing(&property)))
            return 0;
        all->list[all->count].operation = op;
        all->list[all->count++].property = property;
    }
}

/* Of user_properties. Zero where they are not to be merged. */
static int changes_read(changes *all, const tw_member *properties)
{
    const char *end = properties->value + properties->size;
    const char *at = tw__members_begin(properties->value);
    tw_member member;

    all->count = 0;
    if (properties->value[0] != '{')
        return 0;
    for (;;) {
        operation op = SET;

        at = tw__members_next(&member, at, end);
        if (at == NULL)
            return all->count != 0;
        while (op < OPERATIONS && !tw__member_is(&member, operations[op]))
            op++;
        if (op == OPERATIONS || !operation_read(all, op, &member))
            return 0;
    }
}

/* Adds what comes later. Zero where the two cannot be one. */
static int changes_add(changes *all, const changes *later)
{
    size_t i;

    for (i = 0; i < later->count; i++) {
        const change *next = &later->list[i];
        change *before = find(all, &next->property);

        if (before == NULL) {
            if (all->count == CHANGES_MOST)
                return 0;
            all->list[all->count++] = *next;
        } else if (next->operation != SET_ONCE)
            *before = *next;
        else if (before->operation != SET_ONCE)
            return 0; /* what is set is clear, but not what then counts as a value */
    }
    return 1;
}

/* ---- the rest of the events ----------------------------------------------------------- */

/* Those in which the two may differ: the later one's stand. */
static int is_own(const tw_member *member)
{
    return tw__member_is(member, "insert_id") || tw__member_is(member, "time") ||
           tw__member_is(member, "event_id");
}

/* What is counted, so that once is not twice. */
static int is_counted(const tw_member *member)
{
    return tw__member_is(member, "event_properties") || tw__member_is(member, "price") ||
           tw__member_is(member, "quantity") || tw__member_is(member, "revenue") ||
           tw__member_is(member, "revenueType") || tw__member_is(member, "productId") ||
           tw__member_is(member, "receipt") || tw__member_is(member, "receiptSig");
}

static const char *next_shared(tw_member *out, const char *at, const char *end)
{
    do {
        at = tw__members_next(out, at, end);
    } while (at != NULL && is_own(out));
    return at;
}

/* Both events are the same but for their operations, which are handed out. */
static int alike(tw_member properties[2], const char *first, size_t first_size,
                 const char *later, size_t later_size)
{
    const char *a = tw__members_begin(first);
    const char *b = tw__members_begin(later);
    int found = 0;
    int identify = 0;

    for (;;) {
        tw_member ma;
        tw_member mb;

        a = next_shared(&ma, a, first + first_size);
        b = next_shared(&mb, b, later + later_size);
        if (a == NULL || b == NULL)
            return a == NULL && b == NULL && found && identify;
        if (!same(&ma, &mb) || is_counted(&ma))
            return 0;
        if (tw__member_is(&ma, "user_properties")) {
            properties[0] = ma;
            properties[1] = mb;
            found = 1;
        } else if (ma.size != mb.size || memcmp(ma.value, mb.value, ma.size) != 0)
            return 0;
        identify |= tw__member_is(&ma, "event_type") && is(&ma, "\"$identify\"");
    }
}

/* ---- the result ------------------------------------------------------------------------ */

static int changes_write(tw_buf *out, const changes *all)
{
    int rc = TW_OK;
    char between = '{';
    int op;

    for (op = 0; op < (int)OPERATIONS; op++) {
        int opened = 0;
        size_t i;

        for (i = 0; i < all->count && rc == TW_OK; i++) {
            const tw_member *property = &all->list[i].property;

            if ((int)all->list[i].operation != op)
                continue;
            if (!opened)
                rc = tw__buf_printf(out, "%c\"%s\":{", between, operations[op]);
            else
                rc = tw__buf_putc(out, ',');
            opened = 1;
            between = ',';
            /* the name with its quotes, the colon and the value lie together */
            if (rc == TW_OK)
                rc = tw__buf_put(out, property->key - 1,
                                 (size_t)(property->value - property->key) + 1 +
                                     property->size);
        }
        if (opened && rc == TW_OK)
            rc = tw__buf_putc(out, '}');
    }
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

int tw__merge_identify(char **out, size_t *size, const char *first, size_t first_size,
                       const char *later, size_t later_size)
{
    tw_member properties[2];
    changes all;
    changes more;
    tw_buf text;
    int rc;

    *out = NULL;
    *size = 0;
    if (!alike(properties, first, first_size, later, later_size) ||
        !changes_read(&all, &properties[0]) || !changes_read(&more, &properties[1]) ||
        !changes_add(&all, &more))
        return TW_DONE;
    tw__buf_init(&text, later_size + TW_MERGED_BYTES);
    rc = tw__buf_put(&text, later, (size_t)(properties[1].value - later));
    if (rc == TW_OK)
        rc = changes_write(&text, &all);
    if (rc == TW_OK) {
        const char *rest = properties[1].value + properties[1].size;

        rc = tw__buf_put(&text, rest, (size_t)(later + later_size - rest));
    }
    if (rc == TW_OK) {
        *out = tw__buf_take(&text, size);
        rc = *out != NULL ? TW_OK : TW_E_NOMEM;
    }
    tw__buf_clear(&text);
    return rc == TW_E_TOO_LARGE ? TW_DONE : rc;
}
