/* SPDX-License-Identifier: MIT */
/* The tracking plan: read in a few calls at a time, compared, turned into calls. */
#include "call_world.h"

#include <tidewheel/client.h>
#include <tidewheel/job.h>

#include "areas/taxonomy.h"

/* ---- pulling ----------------------------------------------------------------------- */

static tw_job *pull_of(tw_taxonomy_part part)
{
    tw_job *job;

    assert_int_equal(tw__taxonomy_pull_start(&job, gate, part, NULL, NULL), TW_OK);
    tw__loop_turn(loop, 0);
    return job;
}

static int live(void)
{
    int n = 0;
    int i;

    for (i = 0; i < sc.count; i++)
        n += sc.requests[i].live;
    return n;
}

/* Answers the request whose URL ends so. */
static void answer(const char *ending, int status, const char *body)
{
    size_t size = strlen(ending);
    int i;

    for (i = 0; i < sc.count; i++) {
        const char *url = sc.requests[i].url;

        if (sc.requests[i].live && strlen(url) >= size &&
            strcmp(url + strlen(url) - size, ending) == 0) {
            script_answer(&sc, i, status, body);
            return;
        }
    }
    fail_msg("nothing was asked for %s", ending);
}

static void expect_body(tw_job *job, const char *expected)
{
    const tw_reply *rsp = NULL;
    tw_error *err = NULL;
    size_t size;

    if (tw_job_result(&rsp, job, &err) != TW_OK)
        fail_msg("%s", tw_error_message(err));
    assert_string_equal(tw_reply_body(rsp, &size), expected);
    assert_int_equal(size, strlen(expected));
    tw_job_unref(job);
}

/* Entries as a document has them. */
#define FIELDS                                                                     \
    "\"description\":\"\",\"display_name\":null,\"is_active\":true,"               \
    "\"is_hidden_from_dropdowns\":false,\"is_hidden_from_persona_results\":false," \
    "\"is_hidden_from_pathfinder\":false,\"is_hidden_from_timeline\":false,"
#define SHOP_EVENT \
    "{\"category\":\"Shop\"," FIELDS "\"tags\":[\"x\",\"y\"],\"owner\":null,"
#define BARE_EVENT \
    "{\"category\":null," FIELDS "\"tags\":[],\"owner\":null,\"properties\":{}}"
#define PROPERTY                                                                     \
    "\"regex\":null,\"enum_values\":[],\"is_array_type\":false,\"is_hidden\":false," \
    "\"classifications\":[]"
#define ANY "{\"description\":\"\",\"type\":\"any\"," PROPERTY
#define STRING "{\"description\":\"\",\"type\":\"string\"," PROPERTY
#define LISTED \
    "{\"type\":\"string\",\"regex\":\"^s\",\"enum_values\":[\"s1\"],\"classifications\":[]"
#define FREE ",\"is_required\":false}"
#define NEEDED ",\"is_required\":true}"

static const char none[] = "{\"success\":true,\"data\":[]}";

static void a_plan_is_pulled_four_calls_at_a_time(void **state)
{
    tw_job *job = pull_of(TW_TAXONOMY_PLAN);

    (void)state;
    assert_int_equal(live(), 4);
    answer(
        "/taxonomy/event", 200,
        "{\"success\":true,\"data\":[{\"event_type\":\"b\"},{\"event_type\":\"a c\","
        "\"category\":{\"name\":\"Shop\"},\"tags\":[\"x\",\"y\"]},{\"event_type\":\"c\"},{"
        "\"event_type\":\"d\"}]}");
    assert_int_equal(live(), 4);
    answer("/event-property", 200,
           "{\"success\":true,\"data\":[{\"event_property\":\"p\",\"event_type\":null,"
           "\"type\":\"string\"},{\"event_property\":\"q\",\"event_type\":\"b\"}]}");
    answer("/category", 200,
           "{\"success\":true,\"data\":[{\"id\":7,\"name\":\"Shop\"}]}");
    answer("/user-property", 200,
           "{\"success\":true,\"data\":[{\"user_property\":\"gp:tier\"}]}");
    assert_int_equal(live(), 4);
    answer(
        "/group-property", 400,
        "{\"success\":false,\"errors\":[{\"message\":\"Account Properties feature is not "
        "enabled.\"}]}");
    answer("?event_type=a%20c", 200,
           "{\"success\":true,\"data\":[{\"event_property\":\"q\",\"event_type\":\"a c\","
           "\"is_required\":true},{\"event_property\":\"p\",\"event_type\":null}]}");
    answer("?event_type=b", 200, none);
    answer("?event_type=c", 400,
           "{\"success\":false,\"errors\":[{\"message\":\"Not found\"}]}");
    assert_int_equal(live(), 1);
    answer("?event_type=d", 200, none);
    expect_body(job, "{\"categories\":[\"Shop\"],\"events\":{"
                     "\"a c\":" SHOP_EVENT "\"properties\":{\"q\":" ANY NEEDED "}},"
                     "\"b\":" BARE_EVENT ",\"c\":" BARE_EVENT ",\"d\":" BARE_EVENT "},"
                     "\"event_properties\":{\"p\":" STRING FREE "},"
                     "\"user_properties\":{\"gp:tier\":" ANY "}},"
                     "\"group_properties\":{},\"group_types\":{}}");
}

static void a_state_knows_what_was_deleted(void **state)
{
    tw_job *job = pull_of(TW_TAXONOMY_STATE);
    const tw_reply *rsp;
    const char *body;
    size_t size;

    (void)state;
    answer("/taxonomy/event?showDeleted=true", 200,
           "{\"success\":true,\"data\":[{\"event_type\":\"gone\",\"deleted\":true}]}");
    answer("/event-property", 200, none);
    answer("/category", 200,
           "{\"success\":true,\"data\":[{\"id\":7,\"name\":\"Shop\"}]}");
    answer("/user-property?showDeleted=true", 200, none);
    answer("/group-property", 200,
           "{\"success\":true,\"data\":[{\"group_property\":\"grp:seats\",\"group_type\":"
           "\"org id\"}]}");
    assert_int_equal(live(), 0); /* no properties of what is gone */
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_OK);
    body = tw_reply_body(rsp, &size);
    assert_non_null(strstr(body, "{\"categories\":{\"Shop\":7},"));
    assert_non_null(strstr(body, "\"owner\":null,\"deleted\":true,\"properties\":{}}"));
    assert_non_null(strstr(body, "\"group_properties\":{},\"group_types\":{\"org id\":{"
                                 "\"properties\":{\"grp:seats\":{"));
    tw_job_unref(job);
}

static void the_properties_of_all_events_are_one_list(void **state)
{
    tw_job *job = pull_of(TW_TAXONOMY_EVENT_PROPERTIES);

    (void)state;
    assert_int_equal(live(), 2);
    answer("/taxonomy/event", 200,
           "{\"success\":true,\"data\":[{\"event_type\":\"a\"}]}");
    answer("/event-property", 200, none);
    answer("?event_type=a", 200, none);
    expect_body(job, "[]");
}

static void one_failure_ends_all(void **state)
{
    tw_job *job = pull_of(TW_TAXONOMY_PLAN);
    const tw_reply *rsp;
    tw_error *err = NULL;

    (void)state;
    answer("/category", 404,
           "{\"success\":false,\"errors\":[{\"message\":\"no plan\"}]}");
    assert_int_equal(live(), 0);
    assert_int_equal(tw_job_result(&rsp, job, &err), TW_E_HTTP);
    assert_non_null(strstr(tw_error_message(err), "no plan"));
    tw_error_free(err);
    tw_job_unref(job);
    job = pull_of(TW_TAXONOMY_PLAN);
    answer("/category", 200, "{\"success\":false}");
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_HTTP);
    assert_int_equal(live(), 0);
    tw_job_unref(job);
    job = pull_of(TW_TAXONOMY_PLAN);
    answer("/category", 200, "{\"success\":true,\"data\":[{\"id\":1}]}");
    answer("/taxonomy/event", 200, none);
    answer("/event-property", 200, none);
    answer("/user-property", 200, none);
    answer("/group-property", 200, none);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_PROTOCOL);
    tw_job_unref(job);
}

static void a_cancelled_pull_leaves_the_wire(void **state)
{
    tw_job *job = pull_of(TW_TAXONOMY_PLAN);
    const tw_reply *rsp;

    (void)state;
    tw_job_cancel(job);
    tw__loop_turn(loop, 0);
    assert_int_equal(live(), 0);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_CANCELED);
    tw_job_unref(job);
    /* The last reference cancels as well, also before it began. */
    job = pull_of(TW_TAXONOMY_PLAN);
    tw_job_unref(job);
    tw__loop_turn(loop, 0);
    assert_int_equal(live(), 0);
    assert_int_equal(tw__taxonomy_pull_start(&job, gate, TW_TAXONOMY_PLAN, NULL, NULL),
                     TW_OK);
    tw_job_unref(job);
    tw__loop_turn(loop, 0);
    assert_int_equal(live(), 0);
}

/* ---- comparing --------------------------------------------------------------------- */

#define SECTIONS                                                          \
    "\"event_properties\":{\"q\":" ANY FREE ",\"p\":" ANY FREE "},"       \
    "\"user_properties\":{\"gp:tier\":" STRING "},\"user_id\":" ANY "}}," \
    "\"group_properties\":{\"grp:seats\":" LISTED "}},\"group_types\":{}}"

static const char state_text[] =
    "{\"categories\":{\"Shop\":7,\"Old\":8},\"events\":{"
    "\"a\":" SHOP_EVENT "\"properties\":{\"q\":" ANY NEEDED "}},"
    "\"gone\":{\"description\":\"\",\"deleted\":true,\"properties\":{}}}," SECTIONS;

static const struct {
    const char *plan;
    int deletes;
    const char *changes; /* "endpoint arguments" of each, a line each */
    const char *text;    /* somewhere in the result */
} compared[] = {
    {"{}", 1, "", "{\"cost\":0,\"changes\":[],\"notes\":[]}"},
    {"{\"events\":{\"a\":{}}}", 0, "", ""},
    /* Lists are sets, and nothing is the same as an empty text. */
    {"{\"events\":{\"a\":{\"tags\":[\"y\",\"x\"],\"display_name\":\"\",\"owner\":null,"
     "\"category\":\"Shop\",\"is_active\":true}}}",
     0, "", ""},
    {"{\"events\":{\"a\":{\"description\":\"new\",\"tags\":[\"x\"],\"category\":null}}}",
     0,
     "taxonomy.event_update {\"event_type\":\"a\",\"category\":\"\",\"description\":"
     "\"new\",\"tags\":[\"x\"]}\n",
     "\"text\":\"~ event \\\"a\\\": category \\\"Shop\\\" -> nothing, description nothing "
     "-> \\\"new\\\", tags [\\\"x\\\",\\\"y\\\"] -> [\\\"x\\\"]\""},
    {"{\"events\":{\"a\":{\"tags\":null}}}", 0,
     "taxonomy.event_update {\"event_type\":\"a\",\"tags\":[]}\n",
     "tags [\\\"x\\\",\\\"y\\\"] -> nothing"},
    {"{\"user_properties\":{\"gp:tier\":{\"classifications\":null}}}", 0, "", ""},
    /* New ones say what is not the default, and not what has to wait. */
    {"{\"categories\":[\"Shop\",\"New\"],\"events\":{\"n\":{\"category\":\"New\","
     "\"is_active\":true,\"owner\":null,\"display_name\":\"N\",\"is_hidden_from_timeline\":"
     "true,\"tags\":[],\"properties\":{\"r\":{\"type\":\"enum\",\"enum_values\":[\"1\","
     "\"2\"]}}}}}",
     0,
     "taxonomy.category_create {\"category_name\":\"New\"}\n"
     "taxonomy.event_create {\"event_type\":\"n\",\"category\":\"New\"}\n"
     "taxonomy.event_property_create {\"event_property\":\"r\",\"event_type\":\"n\","
     "\"type\":\"enum\",\"enum_values\":[\"1\",\"2\"]}\n",
     "\"notes\":[\"event \\\"n\\\": display_name can be set once it was ingested\""},
    {"{\"events\":{\"gone\":{\"description\":\"back\"}}}", 0,
     "taxonomy.event_restore {\"event_type\":\"gone\"}\n"
     "taxonomy.event_update {\"event_type\":\"gone\",\"description\":\"back\"}\n",
     "\"^ event \\\"gone\\\"\""},
    /* What overrides a shared property stays an override. */
    {"{\"events\":{\"a\":{\"properties\":{\"q\":{\"is_required\":false,"
     "\"classifications\":[\"PII\"]}}}}}",
     0,
     "taxonomy.event_property_update {\"event_property\":\"q\",\"event_type\":\"a\","
     "\"override_scope\":\"override\",\"is_required\":false}\n",
     "~ event property \\\"q\\\" of \\\"a\\\": is_required true -> false"},
    {"{\"event_properties\":{\"q\":{\"description\":\"d\"}}}", 0,
     "taxonomy.event_property_update {\"event_property\":\"q\",\"description\":\"d\"}\n",
     ""},
    /* Flags and types cannot be empty: they go back to what they are where nothing was said. */
    {"{\"events\":{\"a\":{\"is_active\":null,\"properties\":{\"q\":{\"is_required\":null,"
     "\"type\":\"\"}}}},\"user_properties\":{\"gp:tier\":{\"type\":null}}}",
     0,
     "taxonomy.event_property_update {\"event_property\":\"q\",\"event_type\":\"a\","
     "\"override_scope\":\"override\",\"is_required\":false}\n"
     "taxonomy.user_property_update {\"user_property\":\"gp:tier\",\"type\":\"any\"}\n",
     "~ user property \\\"gp:tier\\\": type \\\"string\\\" -> \\\"any\\\""},
    /* What the new type cannot have goes with the old one. */
    {"{\"group_properties\":{\"seats\":{\"type\":\"number\",\"regex\":null,"
     "\"enum_values\":[]}}}",
     0,
     "taxonomy.group_property_update {\"group_property\":\"grp:seats\",\"type\":\"number\","
     "\"regex\":\"\",\"enum_values\":[]}\n",
     "regex \\\"^s\\\" -> nothing"},
    /* With and without prefix it is the same property. */
    {"{\"user_properties\":{\"tier\":{\"type\":\"any\"},\"level\":{}}}", 0,
     "taxonomy.user_property_update {\"user_property\":\"gp:tier\",\"type\":\"any\"}\n"
     "taxonomy.user_property_create {\"user_property\":\"level\"}\n",
     ""},
    {"{\"user_properties\":{\"free\":{\"type\":\"any\",\"regex\":\"^f\"}}}", 0,
     "taxonomy.user_property_create {\"user_property\":\"free\",\"regex\":\"^f\"}\n", ""},
    {"{\"group_types\":{\"org\":{\"properties\":{\"seats\":{\"type\":\"number\"}}}}}", 0,
     "taxonomy.group_property_create {\"group_property\":\"seats\",\"group_type\":\"org\","
     "\"type\":\"number\"}\n",
     ""},
    /* Only sections that the plan has lose anything, and none what is Amplitude's own. */
    {"{\"categories\":[],\"events\":{},\"event_properties\":{\"p\":{}},"
     "\"user_properties\":{},\"group_properties\":{}}",
     1,
     "taxonomy.event_property_delete {\"event_property\":\"q\"}\n"
     "taxonomy.event_delete {\"event_type\":\"a\"}\n"
     "taxonomy.user_property_delete {\"user_property\":\"gp:tier\"}\n"
     "taxonomy.category_delete {\"category_id\":7}\n"
     "taxonomy.category_delete {\"category_id\":8}\n",
     "\"group property \\\"grp:seats\\\": not in the plan, and the API cannot delete it\""},
    {"{\"events\":{\"a\":{\"properties\":{}}}}", 1,
     "taxonomy.event_property_delete {\"event_property\":\"q\",\"event_type\":\"a\"}\n",
     ""},
};

/* "endpoint arguments" of each change. */
static void changes_list(char *out, size_t room, const char *result)
{
    const char *at = result;
    size_t used = 0;

    out[0] = '\0';
    for (;;) {
        const char *end;

        at = strstr(at, "\"endpoint\":\"");
        if (at == NULL)
            return;
        at += 12;
        end = strchr(at, '"');
        used += (size_t)snprintf(out + used, room - used, "%.*s ", (int)(end - at), at);
        at = strstr(end, "\"arguments\":") + 12;
        end = strchr(at, '}') + 1;
        used += (size_t)snprintf(out + used, room - used, "%.*s\n", (int)(end - at), at);
    }
}

static void plans_become_calls(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof compared / sizeof *compared; i++) {
        char list[4096];
        tw_error *err = NULL;
        char *text;
        size_t size;

        if (tw_taxonomy_diff(&text, &size, state_text, strlen(state_text),
                             compared[i].plan, strlen(compared[i].plan),
                             compared[i].deletes, &err) != TW_OK)
            fail_msg("%s: %s", compared[i].plan, tw_error_message(err));
        changes_list(list, sizeof list, text);
        assert_string_equal(list, compared[i].changes);
        if (strstr(text, compared[i].text) == NULL)
            fail_msg("%s\nhas no %s", text, compared[i].text);
        tw_text_free(text);
    }
}

static const struct {
    const char *plan, *field, *rule;
} refused[] = {
    {"[]", NULL, "not an object"},
    {"{", NULL, "no document"},
    {"{\"event\":{}}", "event", "did you mean \"events\"?"},
    {"{\"version\":1}", "version", "a plan has no \"version\""},
    {"{\"events\":[]}", "events", "not an object"},
    {"{\"events\":{\"a\":1}}", "events.a", "not an object"},
    {"{\"events\":{\"a\":{\"descripton\":\"\"}}}", "events.a.descripton",
     "no such field"},
    {"{\"events\":{\"a\":{\"deleted\":true}}}", "events.a.deleted", "no such field"},
    {"{\"events\":{\"a\":{\"tags\":[\"x\",\"a,b\"]}}}", "events.a.tags[1]",
     "held a comma"},
    {"{\"events\":{\"a\":{\"tags\":{\"x\":1}}}}", "events.a.tags", "an object"},
    {"{\"events\":{\"a\":{\"description\":3}}}", "events.a.description",
     "was not a text"},
    {"{\"events\":{\"a\":{\"properties\":{\"q\":{\"type\":\"text\"}}}}}",
     "events.a.properties.q.type", "it has to be string, number"},
    {"{\"events\":{\"a\":{\"properties\":[]}}}", "events.a.properties", "not an object"},
    {"{\"categories\":\"Shop\"}", "categories", "not a list of names"},
    {"{\"categories\":[1]}", "categories", "not a text"},
    {"{\"events\":{\"\":{}}}", "events..event_type", "was empty"},
    {"{\"categories\":[\"\"]}", "categories.category_name", "was empty"},
    {"{\"events\":{\"new\":{\"is_active\":\"yes\"}}}", "events.new.is_active",
     "neither true nor false"},
    {"{\"events\":{\"a\":{\"display_name\":7}}}", "events.a.display_name",
     "was not a text"},
    {"{\"user_properties\":{\"new\":{\"type\":\"number\",\"regex\":\"^a\"}}}",
     "user_properties.new.regex", "not of type string"},
    {"{\"user_properties\":{\"gp:\":{}}}", "user_properties.gp:.user_property",
     "was empty"},
    {"{\"event_properties\":{\"new\":{\"classifications\":[\"secret\"]}}}",
     "event_properties.new.classifications[0]", "PII, SENSITIVE or REVENUE"},
    {"{\"group_types\":{\"org\":{\"properties\":{\"seats\":{\"enum_values\":[1]}}}}}",
     "group_types.org.properties.seats.enum_values[0]", "was not a text"},
};

/* `with`: the state of the project; "" before it is known. */
static void refuse_all(const char *with)
{
    size_t i;

    for (i = 0; i < sizeof refused / sizeof *refused; i++) {
        tw_error *err = NULL;
        char *text;
        size_t size;
        int rc = tw_taxonomy_diff(&text, &size, with, strlen(with), refused[i].plan,
                                  strlen(refused[i].plan), 0, &err);

        if (rc != TW_E_VALIDATION ||
            strstr(tw_error_message(err), refused[i].rule) == NULL)
            fail_msg("%s: %d %s", refused[i].plan, rc, tw_error_message(err));
        if (refused[i].field != NULL)
            assert_string_equal(tw_error_field(err), refused[i].field);
        assert_null(text);
        tw_error_free(err);
    }
}

static void bad_plans_are_refused_with_the_place(void **state)
{
    (void)state;
    refuse_all(state_text);
}

static void bad_plans_are_refused_without_a_state(void **state)
{
    (void)state;
    refuse_all("");
}

/* Nothing of what may be planned: every plan of the first test passes, and asks for nothing. */
static void good_plans_pass_without_a_state(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof compared / sizeof *compared; i++) {
        tw_error *err = NULL;
        char *text;
        size_t size;

        if (tw_taxonomy_diff(&text, &size, "", 0, compared[i].plan,
                             strlen(compared[i].plan), compared[i].deletes,
                             &err) != TW_OK)
            fail_msg("%s: %s", compared[i].plan, tw_error_message(err));
        assert_string_equal(text, "{\"cost\":0,\"changes\":[],\"notes\":[]}");
        tw_text_free(text);
    }
}

/* A plan that was pulled asks for nothing, whatever is in it. */
static void what_was_pulled_is_no_change(void **state)
{
    static const char same[] =
        "{\"categories\":[\"Old\",\"Shop\"],\"events\":{"
        "\"a\":" SHOP_EVENT "\"properties\":{\"q\":" ANY NEEDED "}}}," SECTIONS;
    tw_error *err = NULL;
    char *text;
    size_t size;

    (void)state;
    assert_int_equal(tw_taxonomy_diff(&text, &size, "{}", 2, "{}", 2, 1, &err), TW_OK);
    tw_text_free(text);
    assert_int_equal(tw_taxonomy_diff(&text, &size, "", 0, same, strlen(same), 1, &err),
                     TW_OK);
    tw_text_free(text);
    assert_int_equal(tw_taxonomy_diff(&text, &size, state_text, strlen(state_text), same,
                                      strlen(same), 1, &err),
                     TW_OK);
    assert_string_equal(text, "{\"cost\":0,\"changes\":[],\"notes\":[]}");
    tw_text_free(text);
}

static void no_memory_is_said(void **state)
{
    static const char plan[] =
        "{\"categories\":[\"New\"],\"events\":{\"n\":{\"display_name\":\"N\",\"tags\":["
        "\"t\"]}},\"user_properties\":{}}";
    static const char *const states[] = {state_text, ""};
    int short_of;
    long n, held;
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        short_of = 1;
        for (n = 0; short_of; n += 3) {
            tw_error *err = NULL;
            char *text;
            size_t size;
            int rc;

            oom_begin(n);
            rc = tw_taxonomy_diff(&text, &size, states[i], strlen(states[i]), plan,
                                  strlen(plan), 1, &err);
            short_of = oom_end(&held);
            assert_int_equal(rc, short_of ? TW_E_NOMEM : TW_OK);
            tw_text_free(text);
            tw_error_free(err);
        }
        assert_true(n > (i == 0 ? 30 : 10));
    }
    short_of = 1;
    for (n = 0; short_of; n++) {
        static const char events[] = "[{\"event_type\":\"a\"}]";
        static const char properties[] =
            "[{\"event_property\":\"p\",\"event_type\":\"a\"}]";
        const tw_plan_list lists[] = {
            {TW_PLAN_EVENT, NULL, events, strlen(events)},
            {TW_PLAN_EVENT_PROPERTY, "a", properties, strlen(properties)}};
        tw_buf out;
        int rc;

        tw__buf_init(&out, 10000);
        oom_begin(n);
        rc = tw__plan_compose(&out, lists, 2, TW_TAXONOMY_PLAN);
        tw__buf_clear(&out);
        short_of = oom_end(&held);
        assert_int_equal(rc, short_of ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plan_is_pulled_four_calls_at_a_time),
        TEST(a_state_knows_what_was_deleted),
        TEST(the_properties_of_all_events_are_one_list),
        TEST(one_failure_ends_all),
        TEST(a_cancelled_pull_leaves_the_wire),
        TEST(plans_become_calls),
        TEST(bad_plans_are_refused_with_the_place),
        TEST(bad_plans_are_refused_without_a_state),
        TEST(good_plans_pass_without_a_state),
        TEST(what_was_pulled_is_no_change),
        TEST(no_memory_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
