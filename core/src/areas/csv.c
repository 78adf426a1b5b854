/* SPDX-License-Identifier: MIT */
/* CSV: a stream cut into blocks of whole records, a record into cells. */
#include "areas/csv.h"

#include <string.h>

#include "base/alloc.h"
#include "export/lines.h"
#include "net/job.h"

/* Where a reader stands inside a record. */
enum {
    AT_MARK,   /* at the stream's first bytes, which may be a byte order mark */
    AT_RECORD, /* at its first byte */
    AT_CELL,   /* at a cell's first byte */
    IN_PLAIN,
    IN_QUOTES,
    AT_QUOTE, /* behind a quote inside quotes: the end, or half of a doubled one */
    AT_CR     /* outside of quotes */
};

void tw__records_init(tw_records *rs, size_t target, size_t max_record,
                      int (*emit)(void *ctx, char *data, size_t size), void *ctx)
{
    memset(rs, 0, sizeof *rs);
    rs->target = target;
    rs->max_record = max_record;
    rs->emit = emit;
    rs->ctx = ctx;
    rs->state = AT_MARK;
}

void tw__records_clear(tw_records *rs)
{
    tw__free(rs->data);
    rs->data = NULL;
    rs->size = 0;
    rs->room = 0;
    rs->end = 0;
}

/* ---- where records end ------------------------------------------------------------- */

static int records_fail(tw_records *rs, const char *reason)
{
    rs->reason = reason;
    return TW_E_PROTOCOL;
}

/* A record ended; `blank` ones, of no byte, do not count. */
static int records_ended(tw_records *rs, int blank)
{
    rs->state = AT_RECORD;
    if (blank)
        return TW_OK;
    if (rs->columns == 0)
        rs->columns = rs->cells;
    else if (rs->cells != rs->columns)
        return records_fail(rs, "had a record of fewer or more cells than its header");
    rs->count++;
    return TW_OK;
}

/* The byte behind a cell, or in its midst. */
static int records_plain(tw_records *rs, char c)
{
    if (c == ',') {
        rs->cells++;
        rs->state = AT_CELL;
    } else if (c == '\n') {
        return records_ended(rs, 0);
    } else if (c == '\r') {
        rs->state = AT_CR;
    } else if (c == '"' || rs->state == AT_QUOTE) {
        return records_fail(rs, "had a quote inside a cell that was not doubled");
    } else {
        rs->state = IN_PLAIN;
    }
    return TW_OK;
}

/* Nonzero while `c` may belong to the mark. */
static int records_mark(tw_records *rs, char c)
{
    static const char mark[] = "\xEF\xBB\xBF";

    if (c == mark[rs->mark]) {
        rs->mark++;
        rs->state = rs->mark == 3 ? AT_RECORD : AT_MARK;
        return 1;
    }
    rs->cells = 1;
    rs->state = rs->mark == 0 ? AT_RECORD : IN_PLAIN;
    return 0;
}

static int records_byte(tw_records *rs, char c)
{
    if (rs->state == AT_MARK && records_mark(rs, c))
        return TW_OK;
    switch (rs->state) {
    case AT_RECORD:
        rs->cells = 1;
        if (c == '\n')
            return records_ended(rs, 1);
        if (c == '\r') {
            rs->cells = 0; /* blank, if the line feed follows */
            rs->state = AT_CR;
            return TW_OK;
        }
        rs->state = AT_CELL;
        /* fall through */
    case AT_CELL:
        if (c == '"')
            rs->state = IN_QUOTES;
        else if (c != '\t') /* a TAB may lead, also before a quote */
            return records_plain(rs, c);
        return TW_OK;
    case IN_QUOTES:
        rs->state = c == '"' ? AT_QUOTE : IN_QUOTES;
        return TW_OK;
    case AT_QUOTE:
        if (c == '"') {
            rs->state = IN_QUOTES;
            return TW_OK;
        }
        return records_plain(rs, c);
    case AT_CR:
        if (c != '\n')
            return records_fail(rs, "had a carriage return without line feed");
        return records_ended(rs, rs->cells == 0);
    default:
        return records_plain(rs, c);
    }
}

int tw__records_commit(tw_records *rs, size_t size)
{
    size_t end = rs->size + size;
    size_t at;
    int rc;

    for (at = rs->size; at < end; at++) {
        char c = rs->data[at];

        /* The usual bytes of a cell change nothing. */
        if (rs->state == IN_QUOTES ? c != '"'
                                   : rs->state == IN_PLAIN && (unsigned char)c > ',')
            continue;
        rc = records_byte(rs, c);
        if (rc != TW_OK)
            return rc;
        if (rs->state == AT_RECORD)
            rs->end = at + 1;
    }
    rs->size = end;
    return TW_OK;
}

/* ---- blocks ------------------------------------------------------------------------ */

static int records_emit(tw_records *rs, size_t size)
{
    char *block;
    int rc = tw__block_cut(&block, &rs->data, &rs->size, &rs->room, size, rs->target);

    if (rc != TW_OK)
        return rc;
    rs->end = 0;
    return rs->emit(rs->ctx, block, size);
}

int tw__records_room(tw_records *rs, char **out, size_t *room)
{
    int rc = TW_OK;

    if (rs->data != NULL && rs->size == rs->room && rs->end != 0)
        rc = records_emit(rs, rs->end);
    if (rc == TW_OK && rs->data != NULL && rs->size == rs->room) {
        size_t more = rs->room < rs->max_record / 2 ? rs->room * 2 : rs->max_record;
        char *data = more > rs->room ? tw__realloc(rs->data, more) : NULL;

        if (more <= rs->room) {
            rs->reason = "had a record longer than is allowed";
            return TW_E_TOO_LARGE;
        }
        if (data == NULL)
            return TW_E_NOMEM;
        rs->data = data;
        rs->room = more;
    }
    if (rc != TW_OK)
        return rc;
    if (rs->data == NULL) {
        rs->data = tw__alloc(rs->target);
        if (rs->data == NULL)
            return TW_E_NOMEM;
        rs->room = rs->target;
    }
    *out = rs->data + rs->size;
    *room = rs->room - rs->size;
    return TW_OK;
}

int tw__records_finish(tw_records *rs)
{
    int rc = TW_OK;

    if (rs->state == IN_QUOTES)
        return records_fail(rs, "ended inside a quoted cell");
    if (rs->state == AT_CR)
        return records_fail(rs, "ended with a carriage return");
    if (rs->state != AT_RECORD && rs->state != AT_MARK) {
        rc = records_ended(rs, 0);
        rs->end = rs->size;
    }
    if (rc == TW_OK && rs->size != 0)
        rc = records_emit(rs, rs->size);
    return rc;
}

/* ---- cells ------------------------------------------------------------------------- */

typedef struct cell_reader {
    const char *data;
    size_t size;
    size_t at;
    char *scratch; /* as large as the data, made when the first cell needs it */
} cell_reader;

/* The text of a quoted cell between `from` and `to`, doubled quotes made single. It
 * gets the place in the scratch that it has in the block: no two cells can collide. */
static int cell_unquote(cell_reader *rd, tw_csv_cell *cell, size_t from, size_t to)
{
    char *out;
    size_t i;

    if (rd->scratch == NULL)
        rd->scratch = tw__alloc(rd->size);
    if (rd->scratch == NULL)
        return TW_E_NOMEM;
    out = rd->scratch + from;
    cell->text = out;
    for (i = from; i < to; i++) {
        *out++ = rd->data[i];
        if (rd->data[i] == '"')
            i++;
    }
    cell->size = (size_t)(out - cell->text);
    return TW_OK;
}

static int cell_quoted(cell_reader *rd, tw_csv_cell *cell)
{
    size_t from = ++rd->at;
    int doubled = 0;

    for (;;) {
        const char *quote = memchr(rd->data + rd->at, '"', rd->size - rd->at);

        if (quote == NULL)
            return TW_E_PROTOCOL;
        rd->at = (size_t)(quote - rd->data) + 1;
        if (rd->at == rd->size || rd->data[rd->at] != '"')
            break;
        doubled = 1;
        rd->at++;
    }
    cell->text = rd->data + from;
    cell->size = rd->at - 1 - from;
    return doubled ? cell_unquote(rd, cell, from, rd->at - 1) : TW_OK;
}

static int cell_plain(cell_reader *rd, tw_csv_cell *cell)
{
    size_t from = rd->at;

    while (rd->at < rd->size && rd->data[rd->at] != ',' && rd->data[rd->at] != '\n' &&
           rd->data[rd->at] != '\r') {
        if (rd->data[rd->at] == '"')
            return TW_E_PROTOCOL;
        rd->at++;
    }
    cell->text = rd->data + from;
    cell->size = rd->at - from;
    return TW_OK;
}

/* One cell and what ends it: TW_OK at a comma, TW_DONE at the record's end. */
static int cell_next(cell_reader *rd, tw_csv_cell *cell)
{
    int rc;

    while (rd->at < rd->size && rd->data[rd->at] == '\t')
        rd->at++;
    rc = rd->at < rd->size && rd->data[rd->at] == '"' ? cell_quoted(rd, cell)
                                                      : cell_plain(rd, cell);
    if (rc != TW_OK)
        return rc;
    while (cell->size != 0 && cell->text[0] == '\t') {
        cell->text++;
        cell->size--;
    }
    if (rd->at == rd->size)
        return TW_DONE;
    if (rd->data[rd->at] == ',') {
        rd->at++;
        return TW_OK;
    }
    if (rd->data[rd->at] == '\r')
        rd->at++;
    if (rd->at == rd->size || rd->data[rd->at] != '\n')
        return TW_E_PROTOCOL;
    rd->at++;
    return TW_DONE;
}

static void skip_blank_lines(cell_reader *rd)
{
    while (rd->at < rd->size) {
        if (rd->data[rd->at] == '\n')
            rd->at++;
        else if (rd->data[rd->at] == '\r' && rd->at + 1 < rd->size &&
                 rd->data[rd->at + 1] == '\n')
            rd->at += 2;
        else
            break;
    }
}

int tw_csv_next(tw_csv_cell *cells, size_t room, size_t *count, tw_block *block)
{
    tw_csv_cell spare;
    tw_block_view view;
    cell_reader rd;
    int rc = TW_OK;

    *count = 0;
    tw__block_view(block, &view);
    rd.data = view.data;
    rd.size = view.size;
    rd.at = *view.offset;
    rd.scratch = *view.scratch;
    skip_blank_lines(&rd);
    if (rd.at == rd.size) {
        *view.offset = rd.at;
        return TW_DONE;
    }
    while (rc == TW_OK) {
        rc = cell_next(&rd, *count < room ? &cells[*count] : &spare);
        *count += rc >= 0;
    }
    *view.scratch = rd.scratch;
    if (rc < 0) {
        *count = 0;
        return rc;
    }
    *view.offset = rd.at;
    return TW_OK;
}
