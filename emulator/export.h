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

/* The row of the export, or that of user activity: the latter has os and raw_event_type and
 * no processed_time. */
typedef enum emu_row_form { ROW_EXPORT, ROW_ACTIVITY } emu_row_form;

/* The columns of EMU_ROW_COLUMNS; texts are borrowed until the next step. */
emu_row emu_row_at(emu_store *s, sqlite3_stmt *st);
/* Appends an object with its keys in byte order. */
void emu_row_write(const twe *e, const emu_row *row, emu_row_form form, emu_arena *a,
                   emu_buf *out);

#endif
