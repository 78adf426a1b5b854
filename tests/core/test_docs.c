/* SPDX-License-Identifier: MIT */
/* docs/configuration.md, endpoints.md, arguments.md and events.md are what the tables say. Run this
 * program with TW_UPDATE_DOCS=1 to write them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "areas/arguments.h"
#include "base/buf.h"
#include "client/config.h"
#include "gate/endpoints.h"
#include "ingest/event_fields.h"

static void put(tw_buf *doc, const char *text)
{
    assert_int_equal(tw__buf_puts(doc, text), TW_OK);
}

static void put_range(tw_buf *doc, const tw_option *option)
{
    const char *at;

    if (option->type == TW_OPTION_INT || option->type == TW_OPTION_SECONDS) {
        tw__buf_printf(doc, "%.15g to %.15g%s", option->min, option->max,
                       option->type == TW_OPTION_SECONDS ? " s" : "");
        return;
    }
    if (option->type == TW_OPTION_BOOL) {
        put(doc, "true or false");
        return;
    }
    if (option->choices == NULL) {
        put(doc, option->type == TW_OPTION_SECRET ? "secret text" : "text");
        return;
    }
    for (at = option->choices; *at != '\0'; at++)
        tw__buf_printf(doc,
                       *at == '|'              ? "`, `"
                       : at == option->choices ? "`%c"
                                               : "%c",
                       *at);
    put(doc, "`");
}

static void configuration(tw_buf *doc)
{
    size_t i;

    put(doc,
        "# Options of a client\n\n"
        "Given by name: keyword arguments in Python, fields of a table in Lua, "
        "`tw_config_set_*` in C. An unknown\nname or a value outside its range is refused "
        "at once, and the error says which rule was broken. Times are\nseconds. There is no "
        "option that turns the verification of certificates off.\n\n"
        "| option | values | default | meaning |\n|---|---|---|---|\n");
    for (i = 0; i < TW_OPT_COUNT; i++) {
        const tw_option *option = tw__option(i);

        tw__buf_printf(doc, "| `%s` | ", option->name);
        put_range(doc, option);
        tw__buf_printf(doc, option->standard[0] != '\0' ? " | `%s` | " : " | %s | ",
                       option->standard[0] != '\0' ? option->standard : "–");
        put(doc, option->doc);
        put(doc, " |\n");
    }
    put(doc,
        "\nThis page is made from the option table in `core/src/client/config_table.c`.\n");
}

static const char *bytes_text(char *text, size_t room, uint64_t bytes)
{
    if (bytes == 0)
        return "–";
    snprintf(text, room, "%" PRIu64 " MiB", bytes >> 20);
    return text;
}

static void endpoints(tw_buf *doc)
{
    static const char *const costs[] = {"1", "2", "by query", "by event", "–"};
    char sent[32], kept[32];
    size_t i;

    put(doc,
        "# Endpoints\n\n"
        "What the client knows of each endpoint. *Repeat*: `safe` calls are tried up to "
        "three times after anything\nthat may pass; `unsent` ones only when the earlier "
        "attempt certainly did nothing. Ingestion repeats by its own\nrules. *Time* is the "
        "limit of one attempt where the options say nothing else. The limits are those of "
        "the\nAmplitude API docs, read 2026-11-23.\n\n"
        "| name | access | request | authorization | host | budget | cost | repeat | time "
        "| body | answer | limits |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (i = 0; i < TW_EP_COUNT; i++) {
        const tw_endpoint *row = tw__endpoint((tw_endpoint_id)i);

        tw__buf_printf(doc, "| `%s` | %s | `%s %s` | %s | %s | ", row->name,
                       tw__access_name(row->access), row->method, row->path,
                       tw__auth_name(row->auth), tw__host_name(row->host));
        tw__buf_printf(
            doc, "%s | %s | %s | %" PRId64 " s | %s | %s | ", row->budget,
            costs[row->cost], row->repeat == TW_REPEAT_SAFE ? "safe" : "unsent",
            row->timeout_ms / 1000, bytes_text(sent, sizeof sent, row->max_body),
            bytes_text(kept, sizeof kept, row->max_answer));
        tw__buf_printf(doc, "%s |\n", row->limits);
    }
    put(doc,
        "\nThis page is made from the endpoint table in `core/src/gate/endpoints.c`.\n");
}

static void put_field(tw_buf *doc, const char *name, field_type type, const char *source,
                      const char *meaning)
{
    static const char *const types[] = {
        [TYPE_TEXT] = "text",
        [TYPE_ID] =
            "text of `min_id_length` (5) characters or more, none of the ids below",
        [TYPE_EVENT_TYPE] = "text, not empty, none of the names below",
        [TYPE_INSERT_ID] = "text, not empty",
        [TYPE_CURRENCY] = "3 capital letters",
        [TYPE_NUMBER] = "number",
        [TYPE_INTEGER] = "whole number",
        [TYPE_SESSION] = "whole milliseconds since 1970, or -1",
        [TYPE_TIME] = "whole milliseconds since 1970, 12 to 14 digits",
        [TYPE_BOOL] = "true or false",
        [TYPE_OBJECT] = "object",
        [TYPE_USER] = "object of properties, or of operations with `$identify`",
        [TYPE_GROUP] = "object of properties or operations, with `$groupidentify`",
        [TYPE_GROUPS] = "object of names or lists of names",
        [TYPE_PLAN] = "object of `branch`, `source`, `version`, `versionId`: texts",
        [TYPE_METADATA] = "object of `source_name`, `source_version`: texts",
    };

    tw__buf_printf(doc, "| `%s` | %s | %s | %s |\n", name, types[type], meaning, source);
}

static void events(tw_buf *doc)
{
    static const char API[] = "1, 2", V2[] = "1", PARTNERS[] = "3", SDKS[] = "4";

    put(doc,
        "# Events\n\n"
        "What an event may hold, as `track` checks it before anything is queued. A field "
        "that is not in the table is\nrefused: the server would ignore it without a word. "
        "Texts have at most 1,024 characters, in whatever depth;\nobjects and lists are at "
        "most 40 layers deep; an event fits into one request (`batch_bytes`). `null` counts "
        "as\nabsent. `on_long_string`, `on_invalid_utf8`, `on_nan` and `big_ints` change a "
        "value of a property instead of\nrefusing the event.\n\n"
        "| field | value | meaning | source |\n|---|---|---|---|\n");
#define FIELD(id, name, type, source, meaning) \
    put_field(doc, name, TYPE_##type, source, meaning);
    EVENT_FIELDS(FIELD)
#undef FIELD
    put(doc,
        "\nSources: 1 HTTP V2 API docs, 2 Batch Event Upload API docs, 3 partner "
        "pages, all read 2026-11-23; 4 only sent\nby the official SDKs.\n\n"
        "## Property operations\n\n"
        "`user_properties` of `$identify` and `group_properties` of `$groupidentify` "
        "hold either plain properties, which\nare set, or operations; a mix is "
        "refused. The server applies them in this order (Identify API docs, "
        "read\n2026-11-23; the order and `$clearAll`: SDKs).\n\n"
        "| operation | operand | effect |\n|---|---|---|\n");
#define PROPERTIES "object: property to value"
#define NUMBERS "object: property to number"
#define ANY "anything"
#define OPERATION(name, operand, effect) \
    tw__buf_printf(doc, "| `%s` | %s | %s |\n", name, operand, effect);
    OPERATIONS(OPERATION)
#undef OPERATION
#undef PROPERTIES
#undef NUMBERS
#undef ANY
    tw__buf_printf(
        doc,
        "\n## Rules of the whole\n\n"
        "- `event_type` and one of `user_id` and `device_id` are required; "
        "`$groupidentify` needs no id.\n"
        "- An event has at most %d group types and %d group values; "
        "`$groupidentify` names at least one.\n"
        "- Operations need `$identify` or `$groupidentify`; `group_properties` "
        "need `$groupidentify`.\n"
        "- `productId` and `revenueType` need `price` or `revenue`.\n\n"
        "## Ids the server refuses\n\n"
        "Whatever their case, and whatever `min_id_length` says:",
        MAX_GROUP_TYPES, MAX_GROUP_VALUES);
#define NAME(text) tw__buf_printf(doc, " `%s`,", text);
    BANNED_IDS(NAME)
    tw__buf_printf(doc,
                   " `%s`.\n\n## Reserved names\n\nOf events the server makes "
                   "itself:",
                   BANNED_UUID_TEXT);
    RESERVED_NAMES(NAME)
#undef NAME
    doc->size--;
    put(doc, ".\n\nThis page is made from the tables in "
             "`core/src/ingest/event_fields.h`.\n");
}

static void compare(const char *path, void (*make)(tw_buf *doc))
{
    static char text[256 * 1024];
    size_t size = 0;
    FILE *file;
    tw_buf doc;

    tw__buf_init(&doc, sizeof text);
    make(&doc);
    if (getenv("TW_UPDATE_DOCS") != NULL) {
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(doc.data, 1, doc.size, file), doc.size);
        assert_int_equal(fclose(file), 0);
    }
    file = fopen(path, "r");
    if (file != NULL) {
        size = fread(text, 1, sizeof text, file);
        fclose(file);
    }
    if (size != doc.size || memcmp(text, doc.data, size) != 0)
        fail_msg("%s is not what its table says: run this test with TW_UPDATE_DOCS=1",
                 path);
    tw__buf_clear(&doc);
}

static void put_argument(tw_buf *doc, const tw_argument *arg)
{
    static const char *const kinds[] = {"text",
                                        "whole number",
                                        "number",
                                        "true or false",
                                        "true or false",
                                        "day",
                                        "number or its digits",
                                        "list of texts",
                                        "JSON",
                                        "event",
                                        "segment",
                                        "ranges"};
    static const char *const places[] = {"query", "body", "path", "not sent"};
    const char *at;

    tw__buf_printf(doc, "| `%s` | %s", arg->name,
                   (arg->flags & TW_REPEATED) != 0 ? "list of " : "");
    put(doc, kinds[arg->kind]);
    if ((arg->flags & TW_OR_BOOL) != 0)
        put(doc, ", or true");
    if ((arg->flags & TW_OR_INT) != 0)
        put(doc, " or whole number");
    if (arg->max == INT64_MAX)
        tw__buf_printf(doc, ", %" PRId64 " or more", arg->min);
    else if (arg->max != 0)
        tw__buf_printf(doc, ", %" PRId64 " to %" PRId64, arg->min, arg->max);
    put(doc, arg->choices != NULL ? ": `" : "");
    for (at = arg->choices; at != NULL && *at != '\0';) {
        tw__buf_printf(doc, "%.*s", (int)strcspn(at, "=|"), at);
        at += strcspn(at, "|");
        at += *at == '|';
        put(doc, *at != '\0' ? "`, `" : "`");
    }
    tw__buf_printf(doc, " | %s | %s `%s` | %s |\n",
                   (arg->flags & TW_REQUIRED) != 0 ? "yes" : "", places[arg->place],
                   arg->sent != NULL ? arg->sent : arg->name, arg->doc);
}

static void arguments(tw_buf *doc)
{
    size_t i, k;

    put(doc,
        "# Arguments of calls\n\n"
        "What `client.call(endpoint, …)` takes, and what the methods of the areas hand on. "
        "Every value is checked before\nanything is sent; an unknown name is refused with "
        "the nearest known one. Null is as good as absent. Days are\ntext, `20260301` or "
        "`2026-03-01` (in Python also a `date` or `datetime`).\n\n"
        "The answer has one form in both languages whatever shape the server chose. Its "
        "objects keep what came as\n`data`; members that are not named here are found only "
        "there.\n");
    for (i = 0; i < TW_EP_COUNT; i++) {
        const tw_endpoint *row = tw__endpoint((tw_endpoint_id)i);
        const tw_operation *op = tw__operation(row->id);

        if (op == NULL)
            continue;
        tw__buf_printf(doc, "\n## %s\n\n`%s %s`\n\n", row->name, row->method, row->path);
        put(doc, op->count > 0 ? "| argument | value | needed | sent as | meaning |\n"
                                 "|---|---|---|---|---|\n"
                               : "No arguments.\n");
        for (k = 0; k < op->count; k++)
            put_argument(doc, &op->arguments[k]);
        tw__buf_printf(doc, "\nAnswer: %s.\n", op->form_doc);
    }
    put(doc, "\nThis page is made from the tables in `core/src/areas/`.\n");
}

static void configuration_page_is_current(void **state)
{
    (void)state;
    compare("docs/configuration.md", configuration);
}

static void endpoints_page_is_current(void **state)
{
    (void)state;
    compare("docs/endpoints.md", endpoints);
}

static void arguments_page_is_current(void **state)
{
    (void)state;
    compare("docs/arguments.md", arguments);
}

static void events_page_is_current(void **state)
{
    (void)state;
    compare("docs/events.md", events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration_page_is_current),
        cmocka_unit_test(endpoints_page_is_current),
        cmocka_unit_test(arguments_page_is_current),
        cmocka_unit_test(events_page_is_current),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
