/* SPDX-License-Identifier: MIT */
/* Cohort files: however the input is cut, the same cells come out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "areas/cohort_file.h"
#include "net/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct taken {
    uint32_t crc;
    size_t cells;
} taken;

static int taken_emit(void *ctx, char *data, size_t size)
{
    tw_csv_cell cells[8];
    taken *t = ctx;
    tw_block *block;
    size_t count;
    size_t i;
    int rc;

    if (tw__block_new(&block, data, size) != TW_OK)
        return TW_E_NOMEM;
    for (;;) {
        rc = tw_csv_next(cells, 8, &count, block);
        if (rc != TW_OK)
            break;
        for (i = 0; i < count && i < 8; i++) {
            t->crc = tw__crc32(t->crc, cells[i].text, cells[i].size);
            t->crc = tw__crc32(t->crc, "|", 1);
        }
        t->cells += count;
    }
    /* What the splitter let through the cell reader must understand. */
    if (rc != TW_DONE)
        abort();
    tw_block_free(block);
    return TW_OK;
}

static int taken_ready(void *ctx)
{
    (void)ctx;
    return 1;
}

static int read_file(taken *t, const uint8_t *data, size_t size, size_t step,
                     size_t block)
{
    static const tw_cohort_file_sink sink = {taken_emit, taken_ready};
    tw_cohort_file_options options = TW_COHORT_FILE_OPTIONS_INIT;
    tw_cohort_file *cf;
    size_t at = 0;
    int rc = TW_OK;

    memset(t, 0, sizeof *t);
    options.block_bytes = block;
    if (tw__cohort_file_new(&cf, &options, &sink, t) != TW_OK)
        return TW_E_NOMEM;
    while (rc == TW_OK && at < size) {
        size_t n = size - at < step ? size - at : step;
        char *piece = malloc(n);
        size_t used;

        memcpy(piece, data + at, n);
        rc = tw__cohort_file_feed(cf, piece, n, &used);
        free(piece);
        if (rc == TW_OK && used != n)
            abort();
        at += n;
    }
    if (rc == TW_OK)
        rc = tw__cohort_file_finish(cf);
    tw__cohort_file_free(cf);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    taken whole, split;
    size_t step = size != 0 ? data[size / 2] % 16 + 1 : 1;
    int rc = read_file(&whole, data, size, size, 1 << 16);

    if ((read_file(&split, data, size, step, 16) == TW_OK) != (rc == TW_OK))
        abort();
    if (rc == TW_OK && (split.crc != whole.crc || split.cells != whole.cells))
        abort();
    return 0;
}
