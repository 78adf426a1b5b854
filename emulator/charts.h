/* SPDX-License-Identifier: MIT */
/* Saved charts: a query under an id, seeded over the control port. */
#ifndef EMU_CHARTS_H
#define EMU_CHARTS_H

#include <pthread.h>

#include "json.h"

typedef struct emu_charts {
    pthread_mutex_t mu;
    struct emu_chart *list;
} emu_charts;

struct emu_req;

void emu_charts_init(emu_charts *c);
void emu_charts_forget(emu_charts *c);
void emu_charts_free(emu_charts *c);
/* {"id": …, "name": …, "query": "/api/2/…?…"}; false puts one line into err. */
bool emu_charts_set(emu_charts *c, const ej_val *object, emu_buf *err);
void emu_charts_write(emu_charts *c, emu_buf *out); /* a JSON array */

/* Runs "/api/2/…?…" of an analytics endpoint; the answer stays in `inner`, which starts empty and
 * is to be ended with emu_chart_end. False: it is no such path. */
bool emu_chart_run(struct emu_req *r, emu_str query, struct emu_req *inner);
void emu_chart_end(struct emu_req *inner);
/* The name and the query of a saved chart, copied to the request's arena; false where there is
 * none. */
bool emu_chart_find(struct emu_req *r, emu_str id, emu_str *name, emu_str *query);

/* The reply of a chart endpoint as CSV in the service's dialect. */
void emu_chart_csv(struct emu_req *r, emu_str name, emu_str path, emu_str reply,
                   emu_buf *csv);

#endif
