/* SPDX-License-Identifier: MIT */
/* Answers of analytics: whatever comes, what goes out is JSON, or there is an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "areas/analytics_form.h"
#include "json/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*form_function)(tw_buf *out, const char *body, size_t size, tw_error **err);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const form_function forms[] = {tw__form_series,    tw__form_funnels,
                                          tw__form_retention, tw__form_ltv,
                                          tw__form_events,    tw__form_chart};
    /* Exactly as long as the answer, so that a byte read past its end is seen. */
    char *body = malloc(size != 0 ? size : 1);
    size_t i;

    if (size != 0)
        memcpy(body, data, size);
    for (i = 0; i < sizeof forms / sizeof *forms; i++) {
        tw_error *err = NULL;
        tw_view view;
        tw_buf out;

        tw__buf_init(&out, 16 << 20);
        if (forms[i](&out, body, size, &err) != TW_OK) {
            if (err == NULL)
                abort();
        } else if (tw__view_open(&view, out.data, out.size, 64, out.size, NULL) !=
                   TW_OK) {
            abort();
        }
        tw_error_free(err);
        tw__buf_clear(&out);
    }
    free(body);
    return 0;
}
