/* SPDX-License-Identifier: MIT */
/* The decoder of a cohort file: gzip or not, CSV, whole or an error. */
#ifndef TW_AREAS_COHORT_FILE_H
#define TW_AREAS_COHORT_FILE_H

#include "export/inflate.h"

#include <tidewheel/cohorts.h>

typedef struct tw_cohort_file tw_cohort_file;

typedef struct tw_cohort_file_options {
    tw_inflate_kind inflate;
    size_t block_bytes;
    size_t max_record_bytes;
    int open_ended; /* the transfer cannot tell a cut from the end: gzip has to */
} tw_cohort_file_options;
#define TW_COHORT_FILE_OPTIONS_INIT                          \
    {                                                        \
        TW_INFLATE_BEST, (size_t)1 << 20, (size_t)8 << 20, 0 \
    }

typedef struct tw_cohort_file_sink {
    /* A block of whole records; `data` is taken always. */
    int (*emit)(void *ctx, char *data, size_t size);
    /* Nonzero while another block may be emitted. */
    int (*ready)(void *ctx);
} tw_cohort_file_sink;

int tw__cohort_file_new(tw_cohort_file **out, const tw_cohort_file_options *options,
                        const tw_cohort_file_sink *sink, void *ctx);
void tw__cohort_file_free(tw_cohort_file *cf);
/* TW_OK all used; TW_AGAIN full after `*used`; negative: damaged. */
int tw__cohort_file_feed(tw_cohort_file *cf, const char *bytes, size_t size,
                         size_t *used);
int tw__cohort_file_finish(tw_cohort_file *cf);
int tw__cohort_file_error(const tw_cohort_file *cf, tw_error **err);

#endif
