/* SPDX-License-Identifier: MIT */
/* Formulas of queries: what can be seen to be wrong before the server is asked. */
#include <string.h>
#include <strings.h>

#include "areas/query_document.h"

/* One pass over the text: what may come next depends on what came last alone. */
typedef struct formula {
    tw_asked *asked;
    const char *text;
    const char *at;
    unsigned open;   /* parentheses */
    int after_value; /* an operator, a comma or an end may follow; else a value is due */
} formula;

/* Amplitude custom formula docs, read 2026-11-27. Not all of them may work over the API. */
static const char *const functions[] = {"UNIQUES",
                                        "TOTALS",
                                        "AVG",
                                        "ACTIVE",
                                        "PROPSUM",
                                        "REVENUETOTAL",
                                        "PROPAVG",
                                        "PROPMAX",
                                        "PROPMIN",
                                        "PROPCOUNT",
                                        "PROPCOUNTAVG",
                                        "PERCENTILE",
                                        "FREQPERCENTILE",
                                        "ARPAU",
                                        "SESSIONTOTALS",
                                        "CUMSUM",
                                        "ROLLAVG",
                                        "ROLLWIN",
                                        "ROLLWINBEFORE",
                                        "EXP",
                                        "LN",
                                        "LOG",
                                        "LOG10",
                                        "POWER",
                                        "SQRT",
                                        "TRENDLINE",
                                        "HIST",
                                        "PROPHIST",
                                        "SEMANTICTOTALS",
                                        "EVENTTOTALS",
                                        NULL};

/* The first argument of CUMSUM and its kin. */
static const char *const metrics[] = {"UNIQUES", "TOTALS",  "AVG",     "ACTIVE",
                                      "PROPSUM", "PROPAVG", "AVERAGE", "PCT_DAU",
                                      "SUMS",    NULL};

static int is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_listed(const char *const *list, const char *word, size_t size)
{
    for (; *list != NULL; list++) {
        if (strlen(*list) == size && strncasecmp(*list, word, size) == 0)
            return 1;
    }
    return 0;
}

/* A, B2: an event, and of which segment. */
static int reference_check(const formula *f, const char *word, size_t size)
{
    size_t event = (size_t)((word[0] | 0x20) - 'a');
    size_t segments = f->asked->segments != 0 ? f->asked->segments : 1;
    size_t segment = 0;
    size_t i;

    for (i = 1; i < size; i++) {
        if (!is_digit(word[i]) || i > 4)
            return tw__asked_refuse(f->asked, "had %.*s, which is no event", (int)size,
                                    word);
        segment = segment * 10 + (size_t)(word[i] - '0');
    }
    if (event >= f->asked->events)
        return tw__asked_refuse(
            f->asked, "was about %.*s: A is the first event, and there %s %zu", (int)size,
            word, f->asked->events == 1 ? "is" : "are", f->asked->events);
    if (size > 1 && (segment == 0 || segment > segments))
        return tw__asked_refuse(f->asked,
                                "was about %.*s: segments count from 1, and there %s %zu",
                                (int)size, word, segments == 1 ? "is" : "are", segments);
    return TW_OK;
}

static int word_read(formula *f)
{
    const char *word = f->at;
    const char *next;
    size_t size;

    while (is_letter(*f->at) || is_digit(*f->at))
        f->at++;
    size = (size_t)(f->at - word);
    for (next = f->at; *next == ' '; next++)
        continue;
    if (*next == '(') {
        if (!is_listed(functions, word, size))
            return tw__asked_refuse(
                f->asked, "had %.*s, which is no function of the custom formula docs",
                size < 40 ? (int)size : 40, word);
        return TW_OK; /* what follows is its argument */
    }
    f->after_value = 1;
    return is_listed(metrics, word, size) ? TW_OK : reference_check(f, word, size);
}

static int sign_read(formula *f)
{
    char c = *f->at++;

    switch (c) {
    case '(':
        if (f->after_value)
            break;
        f->open++;
        return TW_OK;
    case ')':
        if (!f->after_value)
            return tw__asked_refuse(f->asked, "missed a value before a ')'");
        if (f->open == 0)
            return tw__asked_refuse(f->asked, "had a ')' too many");
        f->open--;
        return TW_OK;
    case '-':
    case '+':
        f->after_value = 0;
        return TW_OK;
    case '*':
    case '/':
    case '^':
    case ',':
    case ';':
        if (!f->after_value)
            return tw__asked_refuse(f->asked, "missed a value before a '%c'", c);
        if (c == ';' && f->open != 0)
            return tw__asked_refuse(f->asked, "missed a ')' before a ';'");
        f->after_value = 0;
        return TW_OK;
    default:
        break;
    }
    return tw__asked_refuse(f->asked, "had something unexpected at its byte %td",
                            f->at - 1 - f->text);
}

int tw__formula_check(tw_asked *asked, const char *text)
{
    formula f = {asked, text, text, 0, 0};
    int rc = TW_OK;

    while (rc == TW_OK && *f.at != '\0') {
        if (*f.at == ' ') {
            f.at++;
        } else if ((*f.at == '%' || *f.at == '$') && f.at[1] == ':' && !f.after_value) {
            f.at += 2; /* only how it is shown */
        } else if (is_letter(*f.at) && !f.after_value) {
            rc = word_read(&f);
        } else if ((is_digit(*f.at) || *f.at == '.') && !f.after_value) {
            f.at += strspn(f.at, "0123456789.");
            f.after_value = 1;
        } else {
            rc = sign_read(&f);
        }
    }
    if (rc == TW_OK && f.open != 0)
        rc = tw__asked_refuse(asked, "missed a ')' at its end");
    if (rc == TW_OK && !f.after_value)
        rc = tw__asked_refuse(asked, "missed a value at its end");
    return rc;
}
