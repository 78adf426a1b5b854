/* SPDX-License-Identifier: MIT */
/* One stored event as a row of the export. */
#ifndef EMU_EXPORT_H
#define EMU_EXPORT_H

#include "internal.h"

/* A row of the store, borrowed from the statement. INT64_MIN marks a NULL time. */
typedef struct emu_row {
    int64_t seq, amplitude_id, event_ms, client_ms, client_upload_ms, received_ms,
        upload_ms;
    int64_t session, flags;
    emu_str type, props, group_props, traits, doc;
} emu_row;

/* Appends the 55 keys in byte order and a line feed. */
void emu_row_write(const twe *e, const emu_row *row, emu_arena *a, emu_buf *out);

#endif
