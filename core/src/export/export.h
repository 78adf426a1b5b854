/* SPDX-License-Identifier: MIT */
/* The export job: one window streamed. */
#ifndef TW_EXPORT_EXPORT_H
#define TW_EXPORT_EXPORT_H

#include <tidewheel/export.h>

#include "gate/gate.h"

/* The public function, on the gate. @thread any */
int tw__export_start(tw_job **out, tw_gate *gate, const char *start, const char *end,
                     const tw_export_options *options, tw_queue *queue, tw_error **err);

#endif
