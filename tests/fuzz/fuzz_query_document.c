/* SPDX-License-Identifier: MIT */
/* Events, segments and formulas of queries: what is sent is JSON, and sent again is the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "areas/query_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*document_put)(tw_buf *out, tw_asked *asked, tw_view document);

/* TW_OK and the text that is sent, else a refusal with words. */
static int put_one(tw_buf *out, document_put put, const char *text, size_t size)
{
    tw_error *err = NULL;
    tw_asked asked;
    tw_view view;
    int rc;

    memset(&asked, 0, sizeof asked);
    asked.err = &err;
    rc = tw__view_open(&view, text, size, 64, 1 << 20, NULL);
    if (rc == TW_OK)
        rc = put(out, &asked, view);
    if (rc == TW_E_VALIDATION && err == NULL)
        abort();
    tw_error_free(err);
    return rc;
}

static void document_check(document_put put, const char *text, size_t size)
{
    tw_buf once, twice;

    tw__buf_init(&once, 1 << 20);
    tw__buf_init(&twice, 1 << 20);
    if (put_one(&once, put, text, size) == TW_OK) {
        if (put_one(&twice, put, once.data, once.size) != TW_OK ||
            once.size != twice.size || memcmp(once.data, twice.data, once.size) != 0)
            abort();
    }
    tw__buf_clear(&once);
    tw__buf_clear(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* a byte read past its end is seen */
    tw_asked asked;

    memcpy(text, data, size);
    document_check(tw__event_document, text, size);
    document_check(tw__segment_document, text, size);
    text[size] = '\0';
    memset(&asked, 0, sizeof asked);
    asked.events = 2;
    tw__formula_check(&asked, text);
    free(text);
    return 0;
}
