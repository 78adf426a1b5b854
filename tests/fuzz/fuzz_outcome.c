/* SPDX-License-Identifier: MIT */
/* Any answer to any number of events: the verdict is one, and its marks point somewhere. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static const int statuses[] = {0,   200, 202, 204, 302, 400, 401, 403,
                               404, 408, 413, 429, 500, 502, 503, 504};

static void check(const tw_verdict *verdict, size_t count)
{
    size_t kept = 0;
    size_t i;

    CHECK(verdict->kind >= TW_VERDICT_STORED && verdict->kind <= TW_VERDICT_PAUSE);
    CHECK(verdict->reason_count <= TW_REASONS);
    for (i = 0; i < verdict->reason_count; i++) {
        CHECK(memchr(verdict->reasons[i].field, 0, sizeof verdict->reasons[i].field) !=
              NULL);
        CHECK(memchr(verdict->reasons[i].text, 0, sizeof verdict->reasons[i].text) !=
              NULL);
    }
    CHECK(verdict->wait_ms >= 0 && verdict->wait_ms <= 3600000);
    if (verdict->kind != TW_VERDICT_LISTED)
        return;
    for (i = 0; i < count; i++) {
        CHECK(verdict->marks[i] < TW_MARK_REJECT + verdict->reason_count ||
              verdict->marks[i] < TW_MARK_REJECT);
        kept += verdict->marks[i] == TW_MARK_KEEP;
    }
    /* Else the same request would go out again and again. */
    CHECK(kept < count);
}

/* First byte: the status; second: the number of events; third: Retry-After; then the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t asked[] = {-1, 0, 1000, INT64_MAX};
    static tw_verdict verdict;
    tw_outcome outcome;
    tw_json_reader *rd;
    size_t count;
    char *body;

    if (size < 3 || tw_json_reader_new(&rd, 16, TW_ANSWER_BYTES, NULL) != TW_OK)
        return 0;
    body = malloc(size - 3 + 1); /* of its own size: reading past it is seen */
    CHECK(body != NULL);
    memcpy(body, data + 3, size - 3);
    memset(&outcome, 0, sizeof outcome);
    outcome.head.status = statuses[data[0] % (sizeof statuses / sizeof *statuses)];
    outcome.head.retry_after_ms = asked[data[2] % 4];
    outcome.body = body;
    outcome.body_size = size - 3;
    outcome.stored = TW_STORED_MAYBE;
    count = data[1] == 255 ? TW_BATCH_EVENTS_MAX : data[1] + 1u;
    tw__verdict_read(&verdict, &outcome, count, data[1] % 2, rd);
    check(&verdict, count);
    free(body);
    tw_json_reader_free(rd);
    return 0;
}
