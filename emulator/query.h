/* SPDX-License-Identifier: MIT */
/* One analytics request: its parameters, read and checked, and the picture it looks at. */
#ifndef EMU_QUERY_H
#define EMU_QUERY_H

#include "axis.h"
#include "internal.h"
#include "view.h"

typedef enum emu_special {
    EV_NAMED,
    EV_ACTIVE,  /* _active: rows of types not marked inactive */
    EV_ALL,     /* _all */
    EV_NEW,     /* _new: what it means depends on the kind of chart */
    EV_REVENUE, /* revenue_amount: rows with revenue */
    EV_NOTHING  /* verified_revenue: nothing is ever verified here */
} emu_special;

/* A property: where it lives and its key there; key 0 was never met. */
typedef struct emu_prop {
    emu_list_kind kind;
    uint32_t key;
    emu_str name;
} emu_prop;

typedef enum emu_op {
    OP_IS,
    OP_IS_NOT,
    OP_CONTAINS,
    OP_NOT_CONTAINS,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_SET_IS,
    OP_SET_IS_NOT,
    OP_COUNT
} emu_op;

typedef struct emu_filter {
    emu_prop prop;
    emu_op op;
    emu_str *shown;  /* the values as sent … */
    emu_str *texts;  /* … and folded to lower case for OP_CONTAINS */
    uint32_t *ids;   /* their codes, 0 where no event has them */
    double *numbers; /* NAN where they are none */
    size_t n, cap;
    bool none;     /* "(none)" is among them */
    uint8_t *memo; /* by value: 0 not asked yet, 1 no, 2 yes */
} emu_filter;

typedef struct emu_event_def {
    emu_special special;
    uint32_t type;
    emu_str name;
    emu_filter *filters;
    size_t filter_n;
    emu_prop group[2];
    size_t group_n;
} emu_event_def;

typedef enum emu_time_type {
    TIME_ALL,
    TIME_INTERVAL,
    TIME_EACH,
    TIME_ROLLING
} emu_time_type;

typedef enum emu_relation { REL_GE, REL_LE, REL_GT, REL_LT, REL_EQ, REL_NE } emu_relation;

typedef enum emu_cond_kind { COND_PROP, COND_COHORT, COND_WHO } emu_cond_kind;

typedef struct emu_cond {
    emu_cond_kind kind;
    emu_filter filter; /* COND_PROP */
    uint8_t *member;   /* COND_COHORT: by user number */
    bool outside;      /* of all cohorts, not inside of any */
    emu_event_def who; /* COND_WHO: from here on */
    emu_relation relation;
    double value;
    emu_time_type time;
    int64_t days;
    int64_t *times; /* of the user being looked at: when he performed, ascending */
    size_t time_n;
} emu_cond;

typedef struct emu_segment {
    emu_cond *conds;
    size_t n;
} emu_segment;

typedef struct emu_ask {
    emu_req *r;
    twe *e;
    emu_arena *a;
    emu_view *view;
    emu_columns *columns;
    int64_t now;
    bool locked;  /* holds the store's lock: while parameters are read */
    bool charged; /* holds cost in flight */
    int64_t cost;
    uint32_t none_id; /* code of the text "(none)" */
    size_t type_n;    /* by type: */
    uint8_t *inactive;
    emu_str *type_name;
    size_t user_n; /* of the store: size of membership arrays */

    emu_axis axis;
    emu_segment *segments;
    size_t segment_n, condition_n;
    emu_prop g[2];
    size_t g_n;
    size_t limit;
} emu_ask;

typedef enum emu_form_of_range {
    DAYS_ONLY,
    DAYS_AND_LONGER,
    ANY_INTERVAL
} emu_range_form;

/* Takes the store's lock and the picture; false: answered. emu_ask_close ends all in any case. */
bool emu_ask_open(emu_ask *q, emu_req *r);
void emu_ask_unlock(emu_ask *q); /* parameters are read, the computing may start */
void emu_ask_close(emu_ask *q);

/* 400 in the Dashboard envelope with these details; always false. */
bool emu_ask_fail(emu_ask *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool emu_ask_no_memory(emu_ask *q);
void emu_ask_answer(emu_ask *q); /* 200 with what was written */

/* All below: false when answered. */
bool emu_ask_range(emu_ask *q, emu_range_form form); /* start, end, i */
bool emu_ask_axis(emu_ask *q);                       /* builds the buckets */
bool emu_ask_segments(emu_ask *q);                   /* s */
bool emu_ask_groups(emu_ask *q, size_t max);         /* g, g2, limit */
bool emu_ask_event(emu_ask *q, emu_str text, const char *param, emu_event_def *out);
bool emu_type_is_indexed(emu_ask *q,
                         uint32_t type); /* among the types a project may have */
bool emu_ask_user_prop(emu_ask *q, emu_str name, emu_prop *out);
bool emu_ask_int(emu_ask *q, const char *name, int64_t lo, int64_t hi, int64_t *out);
/* One of "a|b|c"; *out keeps its value when the parameter is absent. */
bool emu_ask_choice(emu_ask *q, const char *name, const char *choices, int *out);
/* Charges days x conditions x type_cost (Dashboard REST API docs). */
bool emu_ask_pay(emu_ask *q, int64_t type_cost);

emu_str emu_param(emu_ask *q, const char *name); /* s == NULL when absent or empty */

bool emu_text_is(emu_ask *q, const ej_val *v, const char *z); /* a string, decoded */

/* query_event.c, for query.c */
bool emu_read_filters(emu_ask *q, const ej_val *list, emu_filter **out, size_t *n);
bool emu_read_event(emu_ask *q, const ej_val *v, const char *param, emu_event_def *out);
bool emu_read_op(emu_ask *q, const ej_val *v, emu_op *out);
bool emu_read_values(emu_ask *q, const ej_val *list, emu_filter *f);

#endif
