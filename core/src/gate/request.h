/* SPDX-License-Identifier: MIT */
/* From the spec of a call to the bytes of its request: local validation happens here. */
#ifndef TW_GATE_REQUEST_H
#define TW_GATE_REQUEST_H

#include "base/buf.h"
#include "gate/gate_internal.h"

/* Everything that is wrong with the call as such; the URL, NUL-terminated, into `url`.
 * @thread any */
int tw__request_check(tw_buf *url, const tw_gate *gate, const tw_call_spec *spec,
                      tw_error **err);

/* Lines of this call, `more` among them (each ended by NUL; may be NULL), all checked by
 * tw__request_check, into `lines`, which is to be wiped, and the NULL-ended list of all headers.
 * Pointers are borrowed from gate and lines. */
enum { TW_HEADERS_MOST = 48 };
int tw__request_headers(const char *list[TW_HEADERS_MOST], tw_buf *lines,
                        const tw_gate *gate, const tw_endpoint *row, unsigned flags,
                        const char *content_type, const char *content_encoding,
                        const tw_buf *more);

#endif
