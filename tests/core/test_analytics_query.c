/* SPDX-License-Identifier: MIT */
/* Analytics queries: what goes out, what is refused and where, what it costs. */
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

/* As a client would write them: the quotes are single ones here, for they are many. */
static const char *quoted(const char *text)
{
    static char json[2048];
    size_t i;

    for (i = 0; text[i] != '\0'; i++)
        json[i] = (char)(text[i] == '\'' ? '"' : text[i]);
    json[i] = '\0';
    return json;
}

#define DAYS "'start':'20260301','end':'2026-03-31'"
#define DAYS_SENT "start=20260301&end=20260331"

/* The percent-encoded JSON of the requests, read again. */
static void decode(char *out, size_t room, const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n + 1 < room; text++) {
        unsigned c = (unsigned char)*text;

        if (c == '%') {
            sscanf(text + 1, "%2x", &c);
            text += 2;
        }
        out[n++] = (char)(c == '"' ? '\'' : c);
    }
    out[n] = '\0';
}

static const struct {
    const char *endpoint, *json,
        *request; /* the request is decoded, quotes are single ones */
} sent[] = {
    {"analytics.users", "{" DAYS "}", "/api/2/users?" DAYS_SENT},
    {"analytics.users",
     "{'group_by':['country','gp:tier'],'metric':'new','interval':'month',"
     "'segments':[[{'prop':'platform','op':'=','values':['iOS']}]]," DAYS "}",
     "/api/2/users?" DAYS_SENT
     "&m=new&i=30&s=[{'prop':'platform','op':'is','values':['iOS']}]"
     "&g=country&g2=gp:tier"},
    {"analytics.users", "{'interval':7,'segments':[[],[]]," DAYS "}",
     "/api/2/users?" DAYS_SENT "&i=7&s=[]&s=[]"},
    {"analytics.events_list", "{}", "/api/2/events/list"},
    {"analytics.segmentation", "{'events':['Cart Viewed','_active']," DAYS "}",
     "/api/2/events/segmentation?e={'event_type':'Cart Viewed'}&"
     "e2={'event_type':'_active'}&" DAYS_SENT},
    /* The JSON text of an event is as good as the event. */
    {"analytics.segmentation",
     "{'events':['{\\'event_type\\':\\'a\\',\\'group_by\\':[\\'size\\']}']," DAYS
     ",'metric':'sums','users':'active','interval':'day','limit':1000,'rolling_window':90}",
     "/api/2/events/segmentation?e={'event_type':'a','group_by':[{'type':'event','value':'size'}]"
     "}&" DAYS_SENT "&m=sums&n=active&i=1&limit=1000&rollingWindow=90"},
    {"analytics.segmentation",
     "{'events':['a','b'],'start':'20260301','end':'20260302','interval':'realtime',"
     "'formula':'UNIQUES(A)/UNIQUES(B)','rolling_average':36}",
     "/api/2/events/segmentation?e={'event_type':'a'}&e2={'event_type':'b'}&start=20260301&"
     "end=20260302&i=-300000&m=formula&formula=UNIQUES(A)/UNIQUES(B)&rollingAverage=36"},
    {"analytics.segmentation",
     "{'events':['a'],'metric':'formula','formula':'A'," DAYS "}",
     "/api/2/events/segmentation?e={'event_type':'a'}&" DAYS_SENT "&m=formula&formula=A"},
    {"analytics.funnels", "{'events':['a','b','a']," DAYS "}",
     "/api/2/funnels?e={'event_type':'a'}&e={'event_type':'b'}&e={'event_type':'a'}&" DAYS_SENT
     "&cs=2592000"},
    {"analytics.funnels",
     "{'events':['a','b'],'mode':'unordered','users':'new','conversion_window':86400,'limit':1,"
     "'group_by':['country'],'interval':-3600000,'start':'20260301','end':'20260307'}",
     "/api/2/funnels?e={'event_type':'a'}&e={'event_type':'b'}&start=20260301&end=20260307&"
     "mode=unordered&n=new&i=-3600000&g=country&cs=86400&limit=1"},
    {"analytics.retention", "{'start_event':'_new','return_event':'_all'," DAYS "}",
     "/api/2/retention?se={'event_type':'_new'}&re={'event_type':'_all'}&" DAYS_SENT},
    /* The documented n-day is refused by the server. */
    {"analytics.retention",
     "{'start_event':'_new','return_event':'_all','mode':'n-day','interval':'week'," DAYS
     "}",
     "/api/2/retention?se={'event_type':'_new'}&re={'event_type':'_all'}&" DAYS_SENT
     "&rm=nday&i=7"},
    {"analytics.retention",
     "{'start_event':'_new','return_event':'_all','mode':'unbounded'," DAYS "}",
     "/api/2/retention?se={'event_type':'_new'}&re={'event_type':'_all'}&" DAYS_SENT
     "&rm=rolling"},
    {"analytics.retention",
     "{'start_event':'_new','return_event':'_all','brackets':[[0,1],[1,5]]," DAYS "}",
     "/api/2/retention?se={'event_type':'_new'}&re={'event_type':'_all'}&" DAYS_SENT
     "&rm=bracket&rb=[[0,1],[1,5]]"},
    {"analytics.retention",
     "{'start_event':'_new','return_event':'_all','mode':'bracket','brackets':'[[0,5]]'," DAYS
     "}",
     "/api/2/retention?se={'event_type':'_new'}&re={'event_type':'_all'}&" DAYS_SENT
     "&rm=bracket&rb=[[0,5]]"},
    {"analytics.realtime", "{}", "/api/2/realtime"},
    {"analytics.realtime", "{'interval':5}", "/api/2/realtime?i=5"},
    {"analytics.revenue_ltv", "{'metric':'arppu'," DAYS "}",
     "/api/2/revenue/ltv?m=1&" DAYS_SENT},
    {"analytics.revenue_ltv", "{'metric':3,'group_by':['country']," DAYS "}",
     "/api/2/revenue/ltv?m=3&" DAYS_SENT "&g=country"},
    {"analytics.chart_csv", "{'chart_id':'abc/1'}", "/api/3/chart/abc/1/csv"},
    {"analytics.sessions_length",
     "{'bin_unit':'minutes','bin_min':0,'bin_max':30,'bin_size':2.5," DAYS "}",
     "/api/2/sessions/length?" DAYS_SENT
     "&timeHistogramConfigBinTimeUnit=minutes&timeHistogramConfigBinMin=0&"
     "timeHistogramConfigBinMax=30&timeHistogramConfigBinSize=2.5"},
    {"analytics.sessions_average", "{" DAYS "}", "/api/2/sessions/average?" DAYS_SENT},
    {"analytics.sessions_peruser", "{'group_by':['os']," DAYS "}",
     "/api/2/sessions/peruser?" DAYS_SENT "&g=os"},
    {"analytics.composition", "{'property':'gp:plan tier'," DAYS "}",
     "/api/2/composition?" DAYS_SENT "&p=gp:plan tier"},
};

static void queries_become_requests(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof sent / sizeof *sent; i++) {
        const char *json = quoted(sent[i].json);
        tw_error *err = NULL;
        char text[2048];
        int at = sc.count;
        tw_job *job;

        /* A text within the text. */
        if (strstr(sent[i].json, "\\'") != NULL)
            assert_non_null(strstr(json, "\\\""));
        if (tw__operation_start(&job, gate, operation_of(sent[i].endpoint), json,
                                strlen(json), NULL, &err) != TW_OK)
            fail_msg("%s %s: %s", sent[i].endpoint, json, tw_error_message(err));
        tw__loop_turn(loop, 0);
        assert_string_equal(sc.requests[at].method, "GET");
        decode(text, sizeof text, sc.requests[at].url + strlen("https://api.example"));
        assert_string_equal(text, sent[i].request);
        tw_job_unref(job);
        tw__loop_turn(loop, 0);
    }
}

#define EVENT "'events':['a'],"
#define TWO "'events':['a','b'],"
#define RETENTION "'start_event':'a','return_event':'b',"

static const struct {
    const char *endpoint, *json, *field, *rule;
} refused[] = {
    {"analytics.users", "{'start':'20260301'}", "end", "was missing"},
    {"analytics.users", "{'start':'20260230','end':'20260301'}", "start",
     "a day that exists"},
    {"analytics.users", "{'start':'2026-02-30','end':'20260301'}", "start",
     "was \"2026-02-30\": it has to be a day that exists, as YYYY-MM-DD or YYYYMMDD"},
    {"analytics.users", "{'start':'20260302','end':'20260301'}", "end", "before start"},
    {"analytics.users", "{'metric':'old'," DAYS "}", "metric", "active or new"},
    {"analytics.users", "{'interval':'hour'," DAYS "}", "interval", "day, week or month"},
    {"analytics.users", "{'interval':2," DAYS "}", "interval", "day, week or month"},
    {"analytics.users", "{'start':'20250101','end':'20260101'}", "end",
     "makes more than 365 days, the most of daily ones, both ends counted"},
    {"analytics.users", "{'group_by':['a','b','c']," DAYS "}", "group_by", "at most two"},
    {"analytics.users", "{'group_by':[]," DAYS "}", "group_by", "was empty"},
    {"analytics.users", "{'group_by':['a'],'segments':[[],[]]," DAYS "}", "group_by",
     "several segments"},
    {"analytics.users", "{'segments':[{'prop':'a'}]," DAYS "}", "segments[0]",
     "an array"},
    {"analytics.users", "{'segments':[[{'prop':'a','op':'is','values':[[]]}]]," DAYS "}",
     "segments[0][0].values[0]", "a text"},
    {"analytics.events_list", "{'start':'20260301'}", "start", "no argument"},
    {"analytics.segmentation", "{" DAYS "}", "events", "was missing"},
    {"analytics.segmentation", "{'events':[]," DAYS "}", "events", "was empty"},
    {"analytics.segmentation", "{'events':['a','b','c']," DAYS "}", "events",
     "at most two"},
    {"analytics.segmentation",
     "{'events':['a',{'event_type':'b','filters':[{'subprop_key':'k',"
     "'subprop_op':'near','subprop_value':['1']}]}]," DAYS "}",
     "events[1].filters[0].subprop_op", "is none of"},
    {"analytics.segmentation", "{'events':['Any Active Event']," DAYS "}",
     "events[0].event_type", "_active"},
    {"analytics.segmentation", "{'events':['{]']," DAYS "}", "events[0]", "not JSON"},
    {"analytics.segmentation", "{" TWO "'metric':'sums'," DAYS "}", "events[0].group_by",
     "sums, value_avg and histogram"},
    {"analytics.segmentation",
     "{'events':[{'event_type':'a','group_by':['x']},'b'],'metric':'histogram'," DAYS "}",
     "events[1].group_by", "was missing"},
    {"analytics.segmentation", "{" EVENT "'metric':'formula'," DAYS "}", "formula",
     "was missing"},
    {"analytics.segmentation", "{" EVENT "'metric':'totals','formula':'A'," DAYS "}",
     "metric", "with a formula"},
    {"analytics.segmentation", "{" EVENT "'formula':'UNIQUES(B)'," DAYS "}", "formula",
     "about B"},
    {"analytics.segmentation", "{" EVENT "'formula':'UNIQUES(A'," DAYS "}", "formula",
     "missed a ')'"},
    {"analytics.segmentation", "{" EVENT "'limit':1001," DAYS "}", "limit", "1 to 1000"},
    {"analytics.segmentation", "{" EVENT "'limit':0," DAYS "}", "limit", "1 to 1000"},
    {"analytics.segmentation", "{" EVENT "'users':'new'," DAYS "}", "users",
     "any or active"},
    {"analytics.segmentation",
     "{" EVENT "'interval':'week','rolling_window':13," DAYS "}", "rolling_window",
     "12 weeks"},
    {"analytics.segmentation", "{" EVENT "'interval':30,'rolling_average':13," DAYS "}",
     "rolling_average", "12 months"},
    {"analytics.segmentation",
     "{" EVENT "'interval':'hour','start':'20260301','end':'20260308'}", "end", "7 days"},
    {"analytics.segmentation",
     "{" EVENT "'interval':-300000,'start':'20260301','end':'20260303'}", "end",
     "2 days"},
    {"analytics.segmentation", "{" EVENT "'metrics':'totals'," DAYS "}", "metrics",
     "did you mean \"metric\""},
    {"analytics.funnels", "{" EVENT DAYS "}", "events", "at least two"},
    {"analytics.funnels", "{" TWO "'mode':'any'," DAYS "}", "mode",
     "ordered, unordered or sequential"},
    {"analytics.funnels", "{" TWO "'conversion_window':0," DAYS "}", "conversion_window",
     "1 to 31622400"},
    {"analytics.funnels", "{" TWO "'group_by':['a','b']," DAYS "}", "group_by",
     "one property"},
    {"analytics.retention", "{'start_event':'a'," DAYS "}", "return_event",
     "was missing"},
    {"analytics.retention", "{" RETENTION "'mode':'bracket'," DAYS "}", "brackets",
     "was missing"},
    {"analytics.retention", "{" RETENTION "'mode':'nday','brackets':[[0,1]]," DAYS "}",
     "brackets", "another mode"},
    {"analytics.retention", "{" RETENTION "'brackets':[[0,5],[5,5]]," DAYS "}",
     "brackets[1]", "empty or reversed"},
    {"analytics.retention", "{" RETENTION "'brackets':[[5,0]]," DAYS "}", "brackets[0]",
     "empty or reversed"},
    {"analytics.retention", "{" RETENTION "'brackets':[[0,1,2]]," DAYS "}", "brackets[0]",
     "two numbers"},
    {"analytics.retention", "{" RETENTION "'brackets':[[-1,1]]," DAYS "}", "brackets[0]",
     "two numbers"},
    {"analytics.retention", "{" RETENTION "'brackets':[]," DAYS "}", "brackets",
     "1 to 100"},
    {"analytics.retention", "{" RETENTION "'brackets':7," DAYS "}", "brackets",
     "1 to 100"},
    {"analytics.realtime", "{'interval':1}", "interval", "5"},
    {"analytics.revenue_ltv", "{'metric':4," DAYS "}", "metric", "arpu, arppu"},
    {"analytics.chart_csv", "{'chart_id':''}", "chart_id", "was empty"},
    {"analytics.sessions_length", "{'bin_unit':'days'," DAYS "}", "bin_unit",
     "hours, minutes or seconds"},
    {"analytics.sessions_length", "{'bin_unit':'hours','bin_max':3," DAYS "}", "bin_min",
     "was missing"},
    {"analytics.sessions_length", "{'bin_size':3," DAYS "}", "bin_unit", "was missing"},
    {"analytics.sessions_length", "{'bin_unit':'hours','bin_min':3,'bin_max':3," DAYS "}",
     "bin_max", "more than bin_min"},
    {"analytics.sessions_length",
     "{'bin_unit':'hours','bin_min':0,'bin_max':3,'bin_size':0," DAYS "}", "bin_size",
     "more than 0"},
    {"analytics.sessions_average", "{'start':'20260302','end':'20260301'}", "end",
     "before start"},
    {"analytics.composition", "{" DAYS "}", "property", "was missing"},
};

static void wrong_queries_are_refused_where_they_are_wrong(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *json = quoted(refused[i].json);
        tw_error *err = NULL;
        tw_job *job;
        int rc = tw__operation_start(&job, gate, operation_of(refused[i].endpoint), json,
                                     strlen(json), NULL, &err);

        if (rc != TW_E_VALIDATION ||
            strstr(tw_error_message(err), refused[i].rule) == NULL)
            fail_msg("%s %s: %d %s", refused[i].endpoint, json, rc,
                     tw_error_message(err));
        assert_string_equal(tw_error_field(err), refused[i].field);
        assert_null(job);
        tw_error_free(err);
    }
    tw__loop_turn(loop, 0);
    assert_int_equal(sc.count, 0);
}

/* Interval limits count both ends, and weeks have none over the API. */
static void the_longest_ranges_are_allowed(void **state)
{
    static const char *const longest[] = {
        "{" EVENT "'start':'20250302','end':'20260301'}",
        "{" EVENT "'start':'20260301','end':'20260307','interval':'hour'}",
        "{" EVENT "'start':'20260301','end':'20260302','interval':'realtime'}",
        "{" EVENT "'start':'20200101','end':'20260301','interval':'week'}",
        "{" EVENT "'start':'20200101','end':'20260301','interval':'month'}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof longest / sizeof *longest; i++) {
        const char *json = quoted(longest[i]);
        tw_error *err = NULL;
        int64_t cost;

        if (tw__operation_cost(&cost, gate, operation_of("analytics.segmentation"), json,
                               strlen(json), &err) != TW_OK)
            fail_msg("%s: %s", json, tw_error_message(err));
    }
}

/* The worked examples of the documents, and the other kinds. */
static void costs(void **state)
{
    static const struct {
        const char *endpoint, *json;
        int64_t cost;
    } cases[] = {
        {"analytics.users", "{'start':'20260301','end':'20260307'}", 7},
        {"analytics.segmentation",
         "{" EVENT "'start':'20260301','end':'20260330','group_by':['a','b'],"
         "'segments':[[{'prop':'a','op':'is','values':['b']}]]}",
         300},
        {"analytics.funnels",
         "{'events':['a','b','c'],'start':'20260301','end':'20260330','group_by':['a'],"
         "'segments':[[{'prop':'a','op':'is','values':['b']}]]}",
         30 * 6 * 6},
        {"analytics.segmentation",
         "{'events':[{'event_type':'a','group_by':['x'],'filters':[{'subprop_key':'k',"
         "'subprop_op':'is','subprop_value':['1']}]}],'start':'20260301','end':'20260330'}",
         150},
        {"analytics.segmentation",
         "{'events':['{\\'event_type\\':\\'a\\',\\'group_by\\':[\\'x\\']}','b'],"
         "'start':'20260301','end':'20260301','segments':[[],'[]']}",
         2 * 6},
        {"analytics.retention", "{" RETENTION "'start':'20260301','end':'20260314'}",
         112},
        /* A group-by inside an event is charged to segmentation and funnels alone. */
        {"analytics.retention",
         "{'start_event':{'event_type':'a','group_by':['x']},'return_event':'b',"
         "'start':'20260301','end':'20260314'}",
         112},
        {"analytics.sessions_average", "{'start':'20260301','end':'20260310'}", 40},
        {"analytics.composition", "{'property':'os','start':'20260301','end':'20260310'}",
         10},
        {"analytics.revenue_ltv",
         "{'start':'20260301','end':'20260302','group_by':['os'],"
         "'segments':[[{'prop':'userdata_cohort','op':'is','values':['c']},"
         "{'prop':'os','op':'is','values':['iOS']}]]}",
         2 * 7},
        {"analytics.realtime", "{}", 1},
        {"analytics.events_list", "{}", 1},
        {"taxonomy.event_delete", "{'event_type':'a'}", 2},
    };
    tw_error *err = NULL;
    int64_t cost;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *json = quoted(cases[i].json);

        if (tw__operation_cost(&cost, gate, operation_of(cases[i].endpoint), json,
                               strlen(json), &err) != TW_OK)
            fail_msg("%s: %s", json, tw_error_message(err));
        assert_int_equal(cost, cases[i].cost);
    }
    assert_int_equal(
        tw__operation_cost(&cost, gate, operation_of("analytics.users"), "{}", 2, &err),
        TW_E_VALIDATION);
    assert_int_equal(tw__operation_cost(&cost, gate, operation_of("analytics.chart_csv"),
                                        "{\"chart_id\":\"a\"}", 16, &err),
                     TW_E_INVALID);
    tw_error_free(err);
    tw__loop_turn(loop, 0);
    assert_int_equal(sc.count, 0);
}

#define COSTLY "'group_by':['os'],'start':'20260301','end':"

/* A cost that no budget has room for is refused whatever is asked; the last day that may fit goes,
 * whether the server charges it or not. */
static void what_never_fits_is_refused(void **state)
{
    static const struct {
        const char *endpoint, *fits, *json, *rule;
    } cases[] = {
        {"analytics.retention", "{" RETENTION COSTLY "'20260326'}",
         "{" RETENTION COSTLY "'20260327'}",
         "cost 1080 (27 days x 5 conditions x 8), more than the 1000 of max_query_cost"},
        {"analytics.segmentation", "{" EVENT COSTLY "'20260917'}",
         "{" EVENT COSTLY "'20260918'}", "ask for 200 days at most at once"},
        {"analytics.funnels", "{" TWO COSTLY "'20260420'}", "{" TWO COSTLY "'20260421'}",
         "cost 1040"},
        {"analytics.users", "{" COSTLY "'20260917'}", "{" COSTLY "'20260918'}",
         "cost 1010"},
        {"analytics.revenue_ltv", "{" COSTLY "'20260917'}", "{" COSTLY "'20260918'}",
         "cost 1010"},
        {"analytics.sessions_average", "{" COSTLY "'20260420'}", "{" COSTLY "'20260421'}",
         "cost 1040"},
        {"analytics.sessions_peruser", "{" COSTLY "'20260420'}", "{" COSTLY "'20260421'}",
         "cost 1040"},
        {"analytics.sessions_length", "{" COSTLY "'20260420'}", "{" COSTLY "'20260421'}",
         "cost 1040"},
        {"analytics.composition", "{'property':'os','start':'20260301','end':'20281125'}",
         "{'property':'os','start':'20260301','end':'20281126'}", "cost 1002"},
    };
    tw_error *err = NULL;
    int64_t cost;
    tw_job *job;
    size_t i;
    int count;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const tw_operation *op = operation_of(cases[i].endpoint);
        const char *json = quoted(cases[i].fits);

        count = sc.count;
        if (tw__operation_start(&job, gate, op, json, strlen(json), NULL, &err) != TW_OK)
            fail_msg("%s: %s", json, tw_error_message(err));
        tw__loop_turn(loop, 0);
        assert_int_equal(sc.count, count + 1);
        tw_job_unref(job);
        tw__loop_turn(loop, 0);

        json = quoted(cases[i].json);
        assert_int_equal(
            tw__operation_start(&job, gate, op, json, strlen(json), NULL, &err),
            TW_E_VALIDATION);
        assert_null(job);
        assert_string_equal(tw_error_field(err), "end");
        if (strstr(tw_error_message(err), cases[i].rule) == NULL)
            fail_msg("%s: %s", json, tw_error_message(err));
        tw_error_free(err);
        err = NULL;
        assert_int_equal(tw__operation_cost(&cost, gate, op, json, strlen(json), &err),
                         TW_OK);
        assert_true(cost > 1000); /* it can still be asked for */
        tw__loop_turn(loop, 0);
        assert_int_equal(sc.count, count + 1);
    }
}

static void no_memory_is_said(void **state)
{
    const char *json = quoted(
        "{'events':['{\\'event_type\\':\\'a\\'}',{'event_type':'b','group_by':['x']}],"
        "'formula':'A/B','segments':[[{'prop':'a','op':'is','values':['b']}]]," DAYS "}");
    const tw_operation *op = operation_of("analytics.segmentation");
    int refused_one = 1;
    long n;

    (void)state;
    for (n = 0; refused_one; n++) {
        tw_error *err = NULL;
        int64_t cost;
        long held;
        int rc;

        oom_begin(n);
        rc = tw__operation_cost(&cost, gate, op, json, strlen(json), &err);
        refused_one = oom_end(&held);
        assert_int_equal(rc, refused_one ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
        tw_error_free(err);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(queries_become_requests),
        TEST(wrong_queries_are_refused_where_they_are_wrong),
        TEST(the_longest_ranges_are_allowed),
        TEST(costs),
        TEST(what_never_fits_is_refused),
        TEST(no_memory_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
