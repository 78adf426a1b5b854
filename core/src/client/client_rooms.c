/* SPDX-License-Identifier: MIT */
/* What moves in a client: made once per process, again by a forked child, and ended. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "client/client_internal.h"

/* On the I/O thread, when the loop ends. */
static void rooms_cancel(void *ctx)
{
    tw_rooms *rooms = ctx;

    tw__ingest_cancel(rooms->ingest);
}

tw_rooms *tw__rooms_new(void)
{
    tw_rooms *rooms = tw__alloc_zero(1, sizeof *rooms);

    if (rooms != NULL)
        rooms->pid = tw__pid();
    return rooms;
}

int tw__rooms_ingest(tw_rooms *rooms, const tw_ingest_settings *settings, tw_error **err)
{
    int rc = tw__ingest_new(&rooms->ingest, rooms->gate, settings, err);

    if (rc == TW_OK)
        tw__loop_on_close(rooms->loop, rooms_cancel, rooms);
    return rc;
}

void tw__rooms_free(tw_rooms *rooms)
{
    if (rooms == NULL)
        return;
    if (rooms->ingest != NULL) {
        tw__ingest_stop_intake(rooms->ingest);
        tw__loop_close(rooms->loop);
        tw__ingest_free(rooms->ingest);
    }
    tw__gate_free(rooms->gate);
    tw__loop_unref(rooms->loop);
    tw__free(rooms);
}

/* ---- in a child -------------------------------------------------------------------------- */

static int rooms_again(tw_rooms **out, const tw_client *cl, tw_rooms *from,
                       tw_error **err)
{
    tw_rooms *rooms = tw__rooms_new();
    int rc;

    *out = NULL;
    if (rooms == NULL)
        return tw__error_nomem(err);
    rooms->parent = from;
    rc = tw__loop_again(&rooms->loop, from->loop, err);
    if (rc == TW_OK)
        rc = tw__gate_again(&rooms->gate, from->gate, rooms->loop, err);
    if (rc == TW_OK)
        rc = tw__rooms_ingest(rooms, &cl->settings, err);
    if (rc != TW_OK) {
        tw__rooms_free(rooms);
        return rc;
    }
    *out = rooms;
    return TW_OK;
}

/* Several threads of the child may come here at once. No lock keeps them apart, for a fork of the
 * child might find it held: the first to be done wins, the others throw theirs away. */
static int rooms_move(tw_rooms **out, tw_client *cl, tw_rooms *from, tw_error **err)
{
    int rc = rooms_again(out, cl, from, err);

    if (*out == NULL)
        return rc;
    if (atomic_compare_exchange_strong(&cl->rooms, &from, *out)) {
        if (atomic_load(&cl->closing)) /* meanwhile, where it found nothing to close */
            tw__ingest_stop_intake((*out)->ingest);
        tw__ingest_start((*out)->ingest);
    } else {
        tw__rooms_free(*out);
        *out = from;
    }
    return TW_OK;
}

tw_rooms *tw__client_rooms(const tw_client *cl)
{
    tw_rooms *rooms = atomic_load_explicit(&cl->rooms, memory_order_acquire);

    return rooms->pid == tw__pid() ? rooms : NULL;
}

int tw__client_enter(tw_rooms **out, tw_client *cl, tw_error **err)
{
    *out = NULL;
    if (cl == NULL)
        return tw__error(err, TW_E_INVALID, "there was no client");
    if (atomic_load(&cl->closing))
        return tw__error(err, TW_E_CLOSED, "the client was closed");
    *out = tw__client_rooms(cl);
    if (*out != NULL)
        return TW_OK;
    return rooms_move(out, cl, atomic_load(&cl->rooms), err);
}

void tw__rooms_abandon(tw_rooms *rooms)
{
    while (rooms != NULL) {
        tw_rooms *parent = rooms->parent;

        tw__gate_abandon(rooms->gate);
        rooms = parent;
    }
}
