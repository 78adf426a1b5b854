/* SPDX-License-Identifier: MIT */
/* Arguments, answers and plans: whatever comes, what goes out is JSON, or there is an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/client.h>
#include <tidewheel/taxonomy.h>

#include "areas/arguments.h"
#include "json/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_json(const char *text, size_t size)
{
    tw_parts parts;
    tw_part part;
    int rc = tw__parts_begin(&parts, text, size);

    while (rc == TW_OK)
        rc = tw__parts_next(&parts, &part);
    tw__parts_end(&parts);
    if (rc != TW_DONE)
        abort();
}

static void must_be_said(int rc, tw_error *err)
{
    if ((rc == TW_OK) != (err == NULL) ||
        (rc != TW_OK && tw_error_message(err)[0] == '\0'))
        abort();
    tw_error_free(err);
}

static void try_operation(const tw_operation *op, const char *text, size_t size)
{
    tw_error *err = NULL;
    tw_buf out;
    int rc = tw__operation_check(op, text, size, &err);

    must_be_said(rc, err);
    if (op->form == NULL)
        return;
    err = NULL;
    tw__buf_init(&out, 16 << 20);
    rc = op->form(&out, text, size, &err);
    if (rc == TW_OK)
        must_be_json(out.data, out.size);
    must_be_said(rc, err);
    tw__buf_clear(&out);
}

static void try_diff(const char *state, size_t state_size, const char *plan,
                     size_t plan_size, int deletes)
{
    tw_error *err = NULL;
    char *changes;
    size_t length;
    int rc = tw_taxonomy_diff(&changes, &length, state, state_size, plan, plan_size,
                              deletes, &err);

    if (rc == TW_OK)
        must_be_json(changes, length);
    must_be_said(rc, err);
    tw_text_free(changes);
}

static void try_plan(const char *text, size_t size)
{
    static const char state[] =
        "{\"categories\":{\"Shop\":7},\"events\":{\"a\":{\"tags\":[\"x\"],\"properties\":{"
        "\"q\":{\"type\":\"any\"}}},\"gone\":{\"deleted\":true}},\"event_properties\":{"
        "\"q\":{}},\"user_properties\":{\"gp:tier\":{}},\"group_properties\":{"
        "\"grp:seats\":{}}}";

    try_diff(state, strlen(state), text, size, 0);
    try_diff(state, strlen(state), text, size, 1);
    try_diff("", 0, text, size, 1); /* before the state is known */
    try_diff(text, size, state, strlen(state), 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Exactly as long as the input, so that a byte read past its end is seen. */
    char *text = malloc(size != 0 ? size : 1);
    int id;

    if (size != 0)
        memcpy(text, data, size);
    for (id = 0; id < TW_EP_COUNT; id++) {
        const tw_operation *op = tw__operation((tw_endpoint_id)id);

        if (op != NULL)
            try_operation(op, text, size);
    }
    try_plan(text, size);
    free(text);
    return 0;
}
