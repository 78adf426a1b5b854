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
    int64_t timeout_ms;           /* until the file begins; 0 = the client's option */
} tw_cohort_download_options;
#define TW_COHORT_DOWNLOAD_OPTIONS_INIT                         \
    {                                                           \
        sizeof(tw_cohort_download_options), 0, NULL, NULL, 0, 0 \
    }

/**
 * Request, poll with back-off, file: one job. Its blocks hold whole CSV records, the
 * header record first; read them with tw_csv_next. Decompression and the storage hop are
 * done.
 *
 * TW_DONE comes only after the whole file was read: checksum and length where it was
 * gzip, every record with as many cells as the header. The request's id is in the
 * progress as soon as it is known and in the text of every error after that; with it a
 * download that was given up (TW_E_TIMEOUT, a process that ended) is resumed for 7 days.
 * TW_E_JOB: the server said that the job failed, or its storage refused five links in
 * turn.
 *
 * @param id the cohort; may be NULL with a request_id; copied
 * @return TW_OK, or an error before anything was sent (TW_E_VALIDATION for an id or
 *   property name that cannot be sent). @thread any
 */
TW_API int tw_cohort_download_start(tw_job **out, tw_client *cl, const char *id,
                                    const tw_cohort_download_options *options,
                                    tw_queue *queue, tw_error **err);

/** Unquoted and trimmed of leading TABs; borrowed until the block is freed. */
typedef struct tw_csv_cell {
    const char *text;
    size_t size;
} tw_csv_cell;

/** The next record of a block: up to `room` cells into `cells`, their real number into
 * `count`; TW_DONE at the block's end, TW_E_PROTOCOL for a malformed record. Blank
 * lines are no records. The first block's first record is the header. @thread one at
 * a time per block */
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
#define TW_COHORT_UPLOAD_OPTIONS_INIT                                              \
    {                                                                              \
        sizeof(tw_cohort_upload_options), NULL, 0, NULL, NULL, 0, NULL, NULL, 0, 1 \
    }

/** A list of ids being collected for upload or membership. */
typedef struct tw_ids tw_ids;
TW_API int tw_ids_new(tw_ids **out, tw_error **err);
/** Copied. TW_E_VALIDATION with the index for an empty id, bad UTF-8, control
 * characters, and for the 2,000,001st. Ids go out as they are given, in this order,
 * repeated ones too. */
TW_API int tw_ids_add(tw_ids *ids, const char *text, size_t size, tw_error **err);
TW_API size_t tw_ids_count(const tw_ids *ids);
TW_API void tw_ids_free(tw_ids *ids);

/** Uploads. More than 100,000 ids travel as the upload of the first 100,000 and
 * membership ADDs for the rest, each after the one before was answered (100,000 ids
 * per request, 2 million per cohort: Behavioral Cohorts API docs, read 2026-11-23).
 * The reply's body is the JSON of the upload; of several parts it is {"cohortId",
 * "metadata": {"matched", "totals", "invalid_ids_sample"}} summed, with a sample of
 * at most 100.
 *
 * A new cohort is uploaded again only when the first attempt certainly did nothing:
 * else a second one could appear, and the error says `stored` maybe. A replacement is
 * repeated. When a later part fails, the error's index is the number of ids that are
 * done and the job's progress has the cohort's id: the rest can be added with
 * tw_cohort_update_start.
 * @param ids taken on success */
TW_API int tw_cohort_upload_start(tw_job **out, tw_client *cl,
                                  const tw_cohort_upload_options *options, tw_ids *ids,
                                  tw_queue *queue, tw_error **err);

/** Adds or removes. `id_type` "BY_ID" or "BY_NAME", `operation` "ADD" or "REMOVE";
 * longer lists go in several requests one after the other. The reply's body is the
 * JSON of the server; of several requests one of the same form with all skipped ids.
 * @param ids taken on success */
TW_API int tw_cohort_update_start(tw_job **out, tw_client *cl, const char *id,
                                  const char *id_type, const char *operation,
                                  int skip_invalid_ids, tw_ids *ids, tw_queue *queue,
                                  tw_error **err);

TW_END_DECLS

#endif
