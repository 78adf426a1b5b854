/* SPDX-License-Identifier: MIT */
/* Behavioural cohorts: list, download, upload, membership. */
#ifndef TIDEWHEEL_COHORTS_H
#define TIDEWHEEL_COHORTS_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/** All cohorts; the reply's body is the documented JSON. */
TW_API int tw_cohorts_list_start(tw_job **out, tw_client *cl, int include_sync_info,
                                 tw_queue *queue, tw_error **err);

typedef struct tw_cohort_download_options {
    size_t size;
    int props;                    /* include user properties */
    const char *const *prop_keys; /* NULL-ended list, NULL = all when props is set */
    const char *request_id;       /* resume this request instead of making one, or NULL */
    int64_t poll_first_ms;        /* 0 = the client's option */
    int64_t timeout_ms;           /* for the whole job, 0 = the client's option */
} tw_cohort_download_options;
#define TW_COHORT_DOWNLOAD_OPTIONS_INIT \
    { sizeof(tw_cohort_download_options), 0, NULL, NULL, 0, 0 }

/**
 * Request, poll with back-off, file: one job. Its blocks hold whole CSV records, the header
 * record first; read them with tw_csv_next. Decompression and the storage hop are done.
 */
TW_API int tw_cohort_download_start(tw_job **out, tw_client *cl, const char *id,
                                    const tw_cohort_download_options *options,
                                    tw_queue *queue, tw_error **err);

typedef struct tw_csv_cell {
    const char *text; /* unquoted and trimmed of leading TABs; borrowed until the block is freed */
    size_t size;
} tw_csv_cell;

/** The next record of a block: up to `room` cells into `cells`, their real number into
 * `count`; TW_DONE at the block's end, TW_E_PROTOCOL for a malformed record. */
TW_API int tw_csv_next(tw_csv_cell *cells, size_t room, size_t *count, tw_block *block);

typedef struct tw_cohort_upload_options {
    size_t size;
    const char *name;               /* required */
    int64_t app_id;                 /* required */
    const char *owner;              /* required: login e-mail */
    const char *id_type;            /* "BY_AMP_ID" or "BY_USER_ID" */
    int published;                  /* discoverable */
    const char *group;              /* documented as "cg", or NULL */
    const char *existing_cohort_id; /* replace its contents, or NULL for a new cohort */
    int skip_save;
    int skip_invalid_ids; /* the server's default is 1 */
} tw_cohort_upload_options;
#define TW_COHORT_UPLOAD_OPTIONS_INIT \
    { sizeof(tw_cohort_upload_options), NULL, 0, NULL, NULL, 0, NULL, NULL, 0, 1 }

/** A list of ids being collected for upload or membership. */
typedef struct tw_ids tw_ids;
TW_API int tw_ids_new(tw_ids **out, tw_error **err);
/** Copied. TW_E_VALIDATION for an empty id, bad UTF-8, control characters. */
TW_API int tw_ids_add(tw_ids *ids, const char *text, size_t size, tw_error **err);
TW_API size_t tw_ids_count(const tw_ids *ids);
TW_API void tw_ids_free(tw_ids *ids);

/** Uploads. More than 100,000 ids travel as the upload of the first 100,000 and membership ADDs
 * for the rest (100,000 ids per request, 2 million per cohort: Behavioral Cohorts API docs, read
 * 2026-11-23). The reply's body is the JSON of the upload, `metadata` summed over the parts.
 * @param ids taken on success */
TW_API int tw_cohort_upload_start(tw_job **out, tw_client *cl,
                                  const tw_cohort_upload_options *options, tw_ids *ids,
                                  tw_queue *queue, tw_error **err);

/** Adds or removes. `id_type` "BY_ID" or "BY_NAME", `operation` "ADD" or "REMOVE"; longer lists
 * go in several requests one after the other. @param ids taken on success */
TW_API int tw_cohort_update_start(tw_job **out, tw_client *cl, const char *id,
                                  const char *id_type, const char *operation,
                                  int skip_invalid_ids, tw_ids *ids, tw_queue *queue,
                                  tw_error **err);

TW_END_DECLS

#endif
