/* SPDX-License-Identifier: MIT */
/* Arguments become requests or are refused before any; answers of many shapes take one form. */
#include "call_world.h"

#include <tidewheel/client.h>

#include "areas/arguments.h"

static const tw_operation *operation_of(const char *endpoint)
{
    const tw_endpoint *row = tw__endpoint_find(endpoint);

    assert_non_null(row);
    assert_non_null(tw__operation(row->id));
    return tw__operation(row->id);
}

static tw_job *start_call(const char *endpoint, const char *json)
{
    tw_error *err = NULL;
    tw_job *job;

    if (tw__operation_start(&job, gate, operation_of(endpoint), json, strlen(json), NULL,
                            &err) != TW_OK)
        fail_msg("%s %s: %s", endpoint, json, tw_error_message(err));
    tw__loop_turn(loop, 0);
    return job;
}

/* ---- requests ---------------------------------------------------------------------- */

static const struct {
    const char *endpoint, *json;
    const char *request; /* method and what stands behind the host */
    const char *body;
} sent[] = {
    {"users.search", "{\"user\":\"Kyōto/1 &=\"}",
     "GET /api/2/usersearch?user=Ky%C5%8Dto%2F1%20%26%3D", ""},
    {"users.search", "{\"user\":902117334455}", "GET /api/2/usersearch?user=902117334455",
     ""},
    {"users.activity",
     "{\"direction\":\"earliest\",\"limit\":10,\"offset\":0,"
     "\"amplitude_id\":9223372036854775807}",
     "GET /api/2/useractivity?user=9223372036854775807&offset=0&limit=10&"
     "direction=earliest",
     ""},
    {"users.activity", "{\"amplitude_id\":\"12\",\"limit\":null}",
     "GET /api/2/useractivity?user=12", ""},
    {"taxonomy.events", "{}", "GET /api/2/taxonomy/event", ""},
    {"taxonomy.events", "{\"show_deleted\":true}",
     "GET /api/2/taxonomy/event?showDeleted=true", ""},
    {"taxonomy.event", "{\"event_type\":\"Cart Viewed/\xC3\xA9?#\"}",
     "GET /api/2/taxonomy/event/Cart%20Viewed%2F%C3%A9%3F%23", ""},
    {"taxonomy.event_create",
     "{\"tags\":[\"web\",\"a b\"],\"event_type\":\"Cart Viewed\",\"is_active\":false,"
     "\"description\":\"two\\nlines & =\",\"category\":\"Shop\"}",
     "POST /api/2/taxonomy/event",
     "event_type=Cart%20Viewed&category=Shop&description=two%0Alines%20%26%20%3D&"
     "is_active=false&tags=web%2Ca%20b"},
    {"taxonomy.event_update",
     "{\"event_type\":\"a\",\"new_name\":\"b\",\"tags\":[],\"description\":\"\"}",
     "PUT /api/2/taxonomy/event/a", "new_event_type=b&description=&tags="},
    {"taxonomy.event_delete", "{\"event_type\":\"a\"}", "DELETE /api/2/taxonomy/event/a",
     ""},
    {"taxonomy.event_restore", "{\"event_type\":\"a\"}",
     "POST /api/2/taxonomy/event/a/restore", ""},
    {"taxonomy.category_update", "{\"category_id\":412,\"new_name\":\"Shop\"}",
     "PUT /api/2/taxonomy/category/412", "category_name=Shop"},
    {"taxonomy.event_property_update",
     "{\"event_property\":\"method\",\"event_type\":\"Bought\",\"override_scope\":"
     "\"shared\",\"new_name\":\"how\",\"type\":\"enum\",\"enum_values\":[\"card\","
     "\"iban\"],\"is_required\":true}",
     "PUT /api/2/taxonomy/event-property/method",
     "event_type=Bought&overrideScope=shared&new_event_property_value=how&type=enum&"
     "enum_values=card%2Ciban&is_required=true"},
    {"taxonomy.event_property_delete",
     "{\"event_property\":\"method\",\"event_type\":\"Bought\"}",
     "DELETE /api/2/taxonomy/event-property/method", "event_type=Bought"},
    {"taxonomy.event_properties", "{\"event_type\":\"Cart Viewed\"}",
     "GET /api/2/taxonomy/event-property?event_type=Cart%20Viewed", ""},
    /* Prefixes: in paths always, but for Amplitude's own; in what is created as documented. */
    {"taxonomy.user_property", "{\"user_property\":\"plan tier\"}",
     "GET /api/2/taxonomy/user-property/gp%3Aplan%20tier", ""},
    {"taxonomy.user_property", "{\"user_property\":\"gp:tier\",\"show_deleted\":true}",
     "GET /api/2/taxonomy/user-property/gp%3Atier?showDeleted=true", ""},
    {"taxonomy.user_property", "{\"user_property\":\"user_id\"}",
     "GET /api/2/taxonomy/user-property/user_id", ""},
    {"taxonomy.user_property_create",
     "{\"user_property\":\"gp:tier\",\"classifications\":[\"PII\",\"REVENUE\"]}",
     "POST /api/2/taxonomy/user-property",
     "user_property=tier&classifications=PII%2CREVENUE"},
    {"taxonomy.user_property_update",
     "{\"user_property\":\"tier\",\"new_name\":\"gp:level\"}",
     "PUT /api/2/taxonomy/user-property/gp%3Atier", "new_user_property_value=level"},
    {"taxonomy.group_property_create",
     "{\"group_property\":\"seats\",\"group_type\":\"org id\",\"is_array_type\":true}",
     "POST /api/2/taxonomy/group-property",
     "group_property=grp%3Aseats&group_type=org%20id&is_array_type=true"},
    {"taxonomy.group_property_update",
     "{\"group_property\":\"grp:seats\",\"new_name\":\"places\"}",
     "PUT /api/2/taxonomy/group-property/grp%3Aseats",
     "new_group_property_value=grp%3Aplaces"},
    {"taxonomy.group_property",
     "{\"group_property\":\"group_id\",\"group_type\":\"org\"}",
     "GET /api/2/taxonomy/group-property/group_id?group_type=org", ""},
    {"profile.get", "{\"user_id\":\"u 1\"}", "GET /v1/userprofile?user_id=u%201", ""},
    {"profile.get",
     "{\"device_id\":\"d\",\"properties\":true,\"cohorts\":true,\"recommendations\":"
     "[\"r1\",\"r2\"],\"recommendation_type\":\"random\",\"computations\":[\"c\"],"
     "\"predictions\":[\"p\",\"q\"],\"propensity_type\":\"pct\"}",
     "GET /v1/userprofile?device_id=d&get_amp_props=true&get_cohort_ids=true&"
     "get_recs=true&rec_id=r1%2Cr2&rec_type=random&get_computations=true&comp_id=c&"
     "get_propensity=true&prediction_id=p%2Cq&propensity_type=pct",
     ""},
    {"profile.get",
     "{\"user_id\":\"u\",\"properties\":false,\"cohorts\":false,\"computations\":true}",
     "GET /v1/userprofile?user_id=u&get_computations=true", ""},
    {"profile.get", "{\"user_id\":\"u\",\"computations\":false}",
     "GET /v1/userprofile?user_id=u", ""},
};

static void arguments_become_requests(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof sent / sizeof *sent; i++) {
        int at = sc.count;
        tw_job *job = start_call(sent[i].endpoint, sent[i].json);
        char text[1024];

        snprintf(text, sizeof text, "%s %s", sc.requests[at].method,
                 sc.requests[at].url + strlen("https://api.example"));
        assert_string_equal(text, sent[i].request);
        assert_int_equal(sc.requests[at].body_size, strlen(sent[i].body));
        if (sent[i].body[0] != '\0') {
            assert_memory_equal(sc.requests[at].body, sent[i].body, strlen(sent[i].body));
            assert_true(
                has_header(at, "Content-Type: application/x-www-form-urlencoded"));
        }
        tw_job_unref(job);
        tw__loop_turn(loop, 0);
    }
}

/* ---- refusals ---------------------------------------------------------------------- */

static const struct {
    const char *endpoint, *json, *field, *rule;
} refused[] = {
    {"users.search", "{}", "user", "user was missing"},
    {"users.search", "{\"user\":\"\"}", "user", "user was empty"},
    {"users.search", "{\"user\":null}", "user", "user was missing"},
    {"users.search", "{\"user\":1.5}", "user", "was not a text"},
    {"users.search", "{\"user\":\"a\\u0000b\"}", "user", "U+0000"},
    {"users.search", "{\"user\":\"a\",\"usr\":1}", "usr", "did you mean \"user\"?"},
    {"users.search", "{\"user\":\"a\",\"entirely else\":1}", "entirely else",
     "users.search has no argument \"entirely else\""},
    {"users.search", "{\"user\":\"a\",\"user\":\"b\"}", "user", "was given twice"},
    {"users.search", "[]", NULL, "were not an object"},
    {"users.activity", "{\"amplitude_id\":\"u-1\"}", "amplitude_id",
     "not a whole number"},
    {"users.activity", "{\"amplitude_id\":\"12abc\"}", "amplitude_id",
     "not a whole number"},
    {"users.activity", "{\"amplitude_id\":-1}", "amplitude_id", "has to be 0 or more"},
    {"users.activity", "{\"amplitude_id\":1,\"limit\":1001}", "limit",
     "limit was 1001: it has to be 1 to 1000"},
    {"users.activity", "{\"amplitude_id\":1,\"limit\":0}", "limit", "1 to 1000"},
    {"users.activity", "{\"amplitude_id\":1,\"limit\":2.0}", "limit",
     "not a whole number"},
    {"users.activity", "{\"amplitude_id\":1,\"limit\":true}", "limit",
     "not a whole number"},
    {"users.activity", "{\"amplitude_id\":1,\"offset\":\"2\"}", "offset",
     "not a whole number"},
    {"users.activity", "{\"amplitude_id\":1,\"direction\":\"newest\"}", "direction",
     "direction was \"newest\": it has to be latest or earliest"},
    {"taxonomy.event", "{\"event_type\":\"\"}", "event_type", "was empty"},
    {"taxonomy.event", "{\"event_type\":\"..\"}", "path", "cannot be sent"},
    {"taxonomy.event_create", "{\"event_type\":\"a\",\"tags\":\"a,b\"}", "tags",
     "was not a list of texts"},
    {"taxonomy.event_create", "{\"event_type\":\"a\",\"tags\":[\"ok\",\"a,b\"]}",
     "tags[1]", "held a comma"},
    {"taxonomy.event_create", "{\"event_type\":\"a\",\"tags\":[\"\"]}", "tags[0]",
     "was empty"},
    {"taxonomy.event_create", "{\"event_type\":\"a\",\"tags\":[1]}", "tags[0]",
     "was not a text"},
    {"taxonomy.event_create", "{\"event_type\":\"a\",\"is_active\":\"yes\"}", "is_active",
     "was neither true nor false"},
    {"taxonomy.event_update", "{\"event_type\":\"a\"}", "new_name",
     "nothing to change: it takes new_name, "},
    {"taxonomy.event_property_update", "{\"event_property\":\"a\",\"event_type\":\"b\"}",
     "new_name", "nothing to change"},
    {"taxonomy.event_property_create", "{\"event_property\":\"a\",\"type\":\"text\"}",
     "type", "string, number, boolean, enum or any"},
    {"taxonomy.event_property_create",
     "{\"event_property\":\"a\",\"type\":\"number\",\"regex\":\"x\"}", "regex",
     "not of type string"},
    {"taxonomy.event_property_create",
     "{\"event_property\":\"a\",\"type\":\"any\",\"enum_values\":[\"x\"]}", "enum_values",
     "not of type enum"},
    {"taxonomy.event_property_create",
     "{\"event_property\":\"a\",\"classifications\":[\"SECRET\"]}", "classifications[0]",
     "PII, SENSITIVE or REVENUE"},
    {"taxonomy.event_property_update",
     "{\"event_property\":\"a\",\"override_scope\":\"shared\",\"description\":\"x\"}",
     "override_scope", "without event_type"},
    {"taxonomy.event_property_update",
     "{\"event_property\":\"a\",\"event_type\":\"b\",\"override_scope\":\"override\","
     "\"classifications\":[\"PII\"]}",
     "classifications", "an override has none"},
    {"taxonomy.user_property_create", "{\"user_property\":\"gp:\"}", "user_property",
     "was empty"},
    {"taxonomy.category_update", "{\"category_id\":\"Shop\",\"new_name\":\"a\"}",
     "category_id", "not a whole number"},
    {"profile.get", "{}", "user_id", "one of them is needed"},
    {"profile.get", "{\"user_id\":\"u\",\"recommendations\":[]}", "recommendations",
     "was empty"},
    {"profile.get", "{\"user_id\":\"u\",\"recommendation_type\":\"model\"}",
     "recommendation_type", "without recommendations"},
    {"profile.get", "{\"user_id\":\"u\",\"propensity_type\":\"pct\"}", "propensity_type",
     "without predictions"},
    {"profile.get", "{\"user_id\":\"u\",\"computations\":\"c\"}", "computations",
     "was not a list of texts"},
};

static void wrong_arguments_are_refused_before_anything_is_sent(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof refused / sizeof *refused; i++) {
        tw_error *err = NULL;
        tw_job *job;
        int rc =
            tw__operation_start(&job, gate, operation_of(refused[i].endpoint),
                                refused[i].json, strlen(refused[i].json), NULL, &err);

        if (rc != TW_E_VALIDATION ||
            strstr(tw_error_message(err), refused[i].rule) == NULL)
            fail_msg("%s %s: %d %s", refused[i].endpoint, refused[i].json, rc,
                     tw_error_message(err));
        if (refused[i].field != NULL)
            assert_string_equal(tw_error_field(err), refused[i].field);
        assert_null(job);
        tw_error_free(err);
    }
    tw__loop_turn(loop, 0);
    assert_int_equal(sc.count, 0);
}

static void a_long_name_is_refused(void **state)
{
    tw_error *err = NULL;
    tw_job *job;
    char *json = malloc(71 * 1024);
    int n = snprintf(json, 71 * 1024, "{\"user\":\"%070000d\"}", 1);

    (void)state;
    assert_int_equal(tw__operation_start(&job, gate, operation_of("users.search"), json,
                                         (size_t)n, NULL, &err),
                     TW_E_TOO_LARGE);
    assert_string_equal(tw_error_field(err), "user");
    tw_error_free(err);
    free(json);
}

static int setup_eu(void **state)
{
    (void)state;
    fake_time_begin();
    make("https://api.example", NULL);
    return 0;
}

/* The region is told of before anything else. */
static void there_is_no_profile_in_the_eu(void **state)
{
    tw_error *err = NULL;
    tw_job *job;

    (void)state;
    assert_int_equal(
        tw__operation_start(&job, gate, operation_of("profile.get"), "{}", 2, NULL, &err),
        TW_E_CONFIG);
    print_message("%s\n", tw_error_message(err));
    assert_non_null(strstr(tw_error_message(err), "eu"));
    tw_error_free(err);
    tw__loop_turn(loop, 0);
    assert_int_equal(sc.count, 0);
}

/* ---- answers ----------------------------------------------------------------------- */

static char *result_of(tw_job *job)
{
    const tw_reply *rsp = NULL;
    tw_error *err = NULL;
    char *text = NULL;
    size_t size = 0;

    if (tw_job_result(&rsp, job, &err) != TW_OK ||
        tw_reply_result(&text, &size, rsp, &err) != TW_OK)
        fail_msg("%s", tw_error_message(err));
    assert_int_equal(strlen(text), size);
    tw_job_unref(job);
    return text;
}

static const struct {
    const char *endpoint, *json, *body, *result;
} answered[] = {
    {"users.search", "{\"user\":\"x\"}", "{\"type\":\"nomatch\",\"matches\":[]}",
     "{\"type\":\"nomatch\",\"matches\":[],\"data\":{\"type\":\"nomatch\",\"matches\":[]}}"},
    {"users.search", "{\"user\":\"x\"}",
     "{\"matches\":[{\"user_id\":null,\"amplitude_id\":9007199254740993}],\"type\":"
     "\"match_user_prefix\",\"new\":1}",
     "{\"type\":\"match_user_prefix\",\"matches\":[{\"amplitude_id\":9007199254740993,"
     "\"user_id\":null,\"last_device_id\":null,\"platform\":null,\"country\":null,"
     "\"last_seen\":null,\"data\":{\"user_id\":null,\"amplitude_id\":9007199254740993}}],"
     "\"data\":{\"matches\":[{\"user_id\":null,\"amplitude_id\":9007199254740993}],"
     "\"type\":\"match_user_prefix\",\"new\":1}}"},
    {"taxonomy.categories", "{}",
     "{\"success\":true,\"data\":[{\"id\":1,\"name\":\"Shop\"}]}",
     "[{\"id\":1,\"name\":\"Shop\",\"data\":{\"id\":1,\"name\":\"Shop\"}}]"},
    {"taxonomy.event_create", "{\"event_type\":\"a\"}", "{\"success\":true}",
     "{\"existed\":false}"},
    {"taxonomy.event_property", "{\"event_property\":\"method\"}",
     "{\"success\":true,\"data\":{\"event_property\":\"method\",\"enum_values\":"
     "\"card, iban\",\"type\":null,\"classifications\":null}}",
     "{\"event_property\":\"method\",\"event_type\":null,\"description\":\"\",\"type\":"
     "\"any\",\"regex\":null,\"enum_values\":[\"card\",\"iban\"],\"is_array_type\":false,"
     "\"is_hidden\":false,\"classifications\":[],\"is_required\":false,\"data\":{"
     "\"event_property\":\"method\",\"enum_values\":\"card, iban\",\"type\":null,"
     "\"classifications\":null}}"},
    {"profile.get", "{\"user_id\":\"x\"}",
     "{\"userData\":{\"recommendations\":null,\"user_id\":\"x\",\"device_id\":null,"
     "\"cohort_ids\":null,\"propensity\":\"0.25\"}}",
     "{\"user_id\":\"x\",\"device_id\":null,\"properties\":null,\"cohort_ids\":null,"
     "\"propensity\":0.25,\"data\":{\"recommendations\":null,\"user_id\":\"x\","
     "\"device_id\":null,\"cohort_ids\":null,\"propensity\":\"0.25\"},"
     "\"recommendations\":null,\"propensities\":null}"},
};

static void answers_take_one_form(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof answered / sizeof *answered; i++) {
        int at = sc.count;
        tw_job *job = start_call(answered[i].endpoint, answered[i].json);
        char *text;

        script_answer(&sc, at, 200, answered[i].body);
        text = result_of(job);
        assert_string_equal(text, answered[i].result);
        tw_text_free(text);
    }
}

/* Numbers as texts, the place of nobody, what an unknown user lacks (seen live). */
static void the_activity_is_read_in_all_its_shapes(void **state)
{
    static const struct {
        const char *body, *has, *has_too;
    } cases[] = {
        {"{\"userData\":{\"revenue\":\"12.5\",\"purchases\":\"3\",\"last_location\":{"
         "\"lat\":\"1.7976931348623157E308\",\"lng\":\"-70.5\"}},\"events\":[{\"a\":1}]}",
         "\"purchases\":3,\"revenue\":12.5,",
         "\"last_location\":{\"lat\":null,\"lng\":-70.5,\"data\":{"},
        {"{\"userData\":{\"last_location\":{\"lat\":\"1.7976931348623157E308\","
         "\"lng\":\"1.7976931348623157E308\"}},\"events\":[]}",
         "\"last_location\":null}", "\"events\":[]"},
        {"{\"userData\":{\"revenue\":0,\"purchases\":\"\",\"last_location\":null,"
         "\"canonical_amplitude_id\":902117334456},\"events\":[]}",
         "\"purchases\":0,\"revenue\":0,", "\"amplitude_id\":902117334456,"},
        {"{\"userData\":{\"revenue\":\"1.5)2\",\"purchases\":\"7 \"},\"events\":[]}",
         "\"revenue\":\"1.5)2\"", "\"purchases\":7 ,"},
        {"{\"userData\":{\"num_events\":7,\"device_ids\":[\"d\"],\"usage_time\":\"12h\"},"
         "\"metadata\":{\"cached\":false}}",
         "\"usage_time\":\"12h\"",
         "\"events\":[],\"data\":{\"userData\":{\"num_events\""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int at = sc.count;
        tw_job *job = start_call("users.activity", "{\"amplitude_id\":1}");
        char *text;

        script_answer(&sc, at, 200, cases[i].body);
        text = result_of(job);
        if (strstr(text, cases[i].has) == NULL || strstr(text, cases[i].has_too) == NULL)
            fail_msg("%s", text);
        tw_text_free(text);
    }
}

static void undocumented_answers_are_errors(void **state)
{
    static const struct {
        const char *endpoint, *json, *body;
    } cases[] = {
        {"users.search", "{\"user\":\"x\"}", "[]"},
        {"users.search", "{\"user\":\"x\"}", "{}"},
        {"users.search", "{\"user\":\"x\"}", "{\"matches\":{}}"},
        {"users.search", "{\"user\":\"x\"}", "{\"matches\":[1]}"},
        {"users.search", "{\"user\":\"x\"}", "{\"matches\":[]} x"},
        {"users.activity", "{\"amplitude_id\":1}", "{\"events\":[]}"},
        {"users.activity", "{\"amplitude_id\":1}", "<html>"},
        {"taxonomy.events", "{}", "{\"success\":true}"},
        {"taxonomy.event_create", "{\"event_type\":\"a\"}", ""},
        {"taxonomy.event_create", "{\"event_type\":\"a\"}", "{}"},
        {"profile.get", "{\"user_id\":\"x\"}", "{\"userData\":null}"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int at = sc.count;
        tw_job *job = start_call(cases[i].endpoint, cases[i].json);
        const tw_reply *rsp = NULL;
        tw_error *err = NULL;
        char *text;
        size_t size;

        script_answer(&sc, at, 200, cases[i].body);
        assert_int_equal(tw_job_result(&rsp, job, NULL), TW_OK);
        assert_int_equal(tw_reply_result(&text, &size, rsp, &err), TW_E_PROTOCOL);
        assert_null(text);
        assert_true(tw_error_message(err)[0] != '\0');
        assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
        tw_error_free(err);
        tw_job_unref(job);
    }
}

/* Whatever the status: the body says that it was refused. */
static void refusals_inside_an_answer_are_errors(void **state)
{
    static const struct {
        const char *endpoint, *json;
        int status;
        const char *body;
        int code;
        const char *says;
    } cases[] = {
        {"taxonomy.user_property_create", "{\"user_property\":\"a\"}", 200,
         "{\"success\":false}", TW_E_HTTP, "refusal"},
        {"taxonomy.event_create", "{\"event_type\":\"a\"}", 200,
         "{\"success\":false,\"errors\":[{\"message\":\"not today, " SECRET "\"}]}",
         TW_E_HTTP, "not today"},
        {"taxonomy.event_create", "{\"event_type\":\"a\"}", 409,
         "{\"success\":false,\"errors\":[{\"message\":\"that already exists.\"}]}",
         TW_E_HTTP, "that already exists."},
        {"taxonomy.event", "{\"event_type\":\"a\"}", 400,
         "{\"success\":false,\"errors\":[{\"message\":\"Not found\"}]}", TW_E_HTTP,
         "Not found"},
        {"profile.get", "{\"user_id\":\"u\"}", 200,
         "{\"error\":\"User id and device id not seen before\"}", TW_E_HTTP,
         "not seen before"},
        {"profile.get", "{\"user_id\":\"u\"}", 400,
         "{\"error\":\"User id and device id not seen before\"}", TW_E_HTTP,
         "not seen before"},
        {"profile.get", "{\"user_id\":\"u\"}", 400,
         "{\"error\":\"Number of requests per minute exceeds system limit. Contact Support "
         "if you need this limit raised\"}",
         TW_E_RATE_LIMITED, "requests per minute"},
        {"profile.get", "{\"user_id\":\"u\"}", 200, "{\"error\":\"Invalid Api-Key\"}",
         TW_E_AUTH, "Invalid Api-Key"},
        {"profile.get", "{\"user_id\":\"u\"}", 401, "{\"error\":\"Invalid Api-Key\"}",
         TW_E_AUTH, "Invalid Api-Key"},
        {"profile.get", "{\"user_id\":\"u\"}", 404, "", TW_E_HTTP, "404"},
        {"users.search", "{\"user\":\"u\"}", 403,
         "{\"error\":{\"http_code\":403,\"type\":\"unspecified\",\"message\":\"Unspecified "
         "Error\",\"metadata\":{\"details\":\"Invalid API Key\"}}}",
         TW_E_AUTH, "Invalid API Key"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int at = sc.count;
        tw_job *job = start_call(cases[i].endpoint, cases[i].json);
        const tw_reply *rsp = NULL;
        tw_error *err = NULL;

        script_answer(&sc, at, cases[i].status, cases[i].body);
        assert_int_equal(tw_job_result(&rsp, job, &err), cases[i].code);
        assert_int_equal(tw_error_http_status(err), cases[i].status);
        assert_int_equal(tw_error_stored(err), TW_STORED_NO);
        if (strstr(tw_error_message(err), cases[i].says) == NULL)
            fail_msg("%s", tw_error_message(err));
        assert_null(strstr(tw_error_message(err), SECRET));
        tw_error_free(err);
        tw_job_unref(job);
    }
}

/* ---- writes ------------------------------------------------------------------------ */

static void what_exists_is_fine_on_request(void **state)
{
    static const char body[] =
        "{\"success\":false,\"errors\":[{\"message\":\"Attempted to add an event property, "
        "\\\"a\\\", that already exists.\"}]}";
    static const char unknown[] =
        "{\"success\":false,\"errors\":[{\"message\":\"Attempted to operate on entity "
        "event_category, id \\\"1\\\", that does not exist.\"}]}";
    static const char create[] = "{\"event_property\":\"a\",\"exist_ok\":true}";
    static const char user[] = "{\"user_property\":\"a\",\"exist_ok\":true}";
    static const char bare[] = "{\"success\":false}";
    char of_long_name[600];
    const tw_reply *rsp;
    tw_job *job;
    char *text;

    (void)state;
    job = start_call("taxonomy.event_property_create", create);
    script_answer(&sc, 0, 409, body);
    text = result_of(job);
    assert_string_equal(text, "{\"existed\":true}");
    tw_text_free(text);
    /* Nothing but that. */
    job = start_call("taxonomy.event_property_create", create);
    script_answer(&sc, 1, 409, unknown);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_HTTP);
    tw_job_unref(job);
    job = start_call("taxonomy.event_property_create",
                     "{\"event_property\":\"a\",\"exist_ok\":false}");
    script_answer(&sc, 2, 409, body);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_HTTP);
    tw_job_unref(job);
    snprintf(of_long_name, sizeof of_long_name,
             "{\"success\":false,\"errors\":[{\"message\":\"%0500d already exists.\"}]}",
             7);
    job = start_call("taxonomy.event_property_create", create);
    script_answer(&sc, 3, 409, of_long_name);
    text = result_of(job);
    assert_string_equal(text, "{\"existed\":true}");
    tw_text_free(text);
    /* A conflict without words may be another one; only user properties have none. */
    job = start_call("taxonomy.event_property_create", create);
    script_answer(&sc, 4, 409, bare);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_HTTP);
    tw_job_unref(job);
    job = start_call("taxonomy.user_property_create", user);
    script_answer(&sc, 5, 409, "");
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_HTTP);
    tw_job_unref(job);
    job = start_call("taxonomy.user_property_create", user);
    script_answer(&sc, 6, 409, bare);
    text = result_of(job);
    assert_string_equal(text, "{\"existed\":true}");
    tw_text_free(text);
}

/* Is the call of request `at` repeated after an answer that may have been stored? */
static int repeats(const char *endpoint, const char *json)
{
    const tw_reply *rsp;
    int at = sc.count;
    tw_job *job = start_call(endpoint, json);
    int again;

    script_answer(&sc, at, 500, "");
    turn(20000);
    again = sc.count > at + 1;
    if (!again) {
        tw_error *err = NULL;

        assert_int_equal(tw_job_result(&rsp, job, &err), TW_E_SERVER);
        assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
        tw_error_free(err);
    }
    tw_job_unref(job);
    tw__loop_turn(loop, 0);
    return again;
}

static void writes_are_repeated_only_where_that_is_the_same_call(void **state)
{
    (void)state;
    assert_int_equal(repeats("taxonomy.events", "{}"), 1);
    assert_int_equal(repeats("taxonomy.event_create", "{\"event_type\":\"a\"}"), 0);
    assert_int_equal(
        repeats("taxonomy.event_create", "{\"event_type\":\"a\",\"exist_ok\":true}"), 1);
    assert_int_equal(
        repeats("taxonomy.event_update", "{\"event_type\":\"a\",\"description\":\"x\"}"),
        1);
    assert_int_equal(
        repeats("taxonomy.event_update", "{\"event_type\":\"a\",\"new_name\":\"b\"}"), 0);
    assert_int_equal(repeats("taxonomy.event_delete", "{\"event_type\":\"a\"}"), 0);
    assert_int_equal(
        repeats("taxonomy.user_property_restore", "{\"user_property\":\"a\"}"), 0);
}

/* ---- the tables -------------------------------------------------------------------- */

/* {…} of a path are its arguments, in order; nothing is named twice; limits hold. */
static void the_tables_are_sound(void **state)
{
    int id;

    (void)state;
    for (id = 0; id < TW_EP_COUNT; id++) {
        const tw_endpoint *row = tw__endpoint((tw_endpoint_id)id);
        const tw_operation *op = tw__operation((tw_endpoint_id)id);
        const char *at = row->path;
        size_t i, j;

        if (op == NULL)
            continue;
        assert_true(op->count <= TW_ARGUMENTS_MOST);
        assert_non_null(op->form_doc);
        for (i = 0; i < op->count; i++) {
            const tw_argument *arg = &op->arguments[i];

            assert_non_null(arg->doc);
            for (j = 0; j < i; j++)
                assert_string_not_equal(op->arguments[j].name, arg->name);
            if (arg->place == TW_IN_FORM)
                assert_string_not_equal(row->method, "GET");
            if (arg->place != TW_IN_PATH)
                continue;
            at = strchr(at, '{');
            assert_non_null(at);
            assert_int_equal(strncmp(at + 1, arg->name, strlen(arg->name)), 0);
            at++;
        }
        assert_null(strchr(at, '{'));
    }
}

static void every_read_and_write_of_the_plan_has_arguments(void **state)
{
    int id;

    (void)state;
    for (id = 0; id < TW_EP_COUNT; id++) {
        tw_area area = tw__endpoint((tw_endpoint_id)id)->area;

        if (area == TW_AREA_TAXONOMY || area == TW_AREA_USERS || area == TW_AREA_PROFILE)
            assert_non_null(tw__operation((tw_endpoint_id)id));
    }
}

static void no_memory_is_said(void **state)
{
    static const char json[] =
        "{\"event_property\":\"a\",\"enum_values\":[\"x\",\"y\"],\"type\":\"enum\"}";
    static const char body[] =
        "{\"matches\":[{\"amplitude_id\":\"12\",\"country\":\"x\"}],\"type\":\"a\"}";
    const tw_operation *op = operation_of("taxonomy.event_property_create");
    const tw_operation *search = operation_of("users.search");
    int refused_one = 1;
    long n, held;

    (void)state;
    tw__loop_turn(loop, 0);
    for (n = 0; refused_one; n++) {
        tw_error *err = NULL;
        tw_job *job;
        int rc;

        oom_begin(n);
        rc = tw__operation_start(&job, gate, op, json, strlen(json), NULL, &err);
        refused_one = oom_end(&held);
        assert_int_equal(rc, refused_one ? TW_E_NOMEM : TW_OK);
        tw_error_free(err);
        tw_job_unref(job);
        tw__loop_turn(loop, 0);
    }
    assert_true(n > 5);
    refused_one = 1;
    for (n = 0; refused_one; n++) {
        tw_error *err = NULL;
        tw_buf out;
        int rc;

        oom_begin(n);
        tw__buf_init(&out, 10000);
        rc = search->form(&out, body, strlen(body), &err);
        tw__buf_clear(&out);
        refused_one = oom_end(&held);
        assert_int_equal(rc, refused_one ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
        tw_error_free(err);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(arguments_become_requests),
        TEST(wrong_arguments_are_refused_before_anything_is_sent),
        TEST(a_long_name_is_refused),
        cmocka_unit_test_setup_teardown(there_is_no_profile_in_the_eu, setup_eu,
                                        teardown),
        TEST(answers_take_one_form),
        TEST(the_activity_is_read_in_all_its_shapes),
        TEST(undocumented_answers_are_errors),
        TEST(refusals_inside_an_answer_are_errors),
        TEST(what_exists_is_fine_on_request),
        TEST(writes_are_repeated_only_where_that_is_the_same_call),
        TEST(the_tables_are_sound),
        TEST(every_read_and_write_of_the_plan_has_arguments),
        TEST(no_memory_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
