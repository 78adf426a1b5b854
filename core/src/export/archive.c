/* SPDX-License-Identifier: MIT */
/* An export archive, from its bytes to blocks of lines. */
#include "export/archive.h"

#include "base/alloc.h"
#include "base/error.h"
#include "export/gunzip.h"
#include "export/zip.h"

struct tw_archive {
    tw_archive_options options;
    tw_archive_sink sink;
    void *ctx;
    tw_zip *zip;
    tw_gunzip *gz;
    tw_lines lines;
    int is_folder;  /* the current member's name ends in '/' */
    uint64_t given; /* archive bytes fed, those being worked on included */
    uint64_t fed;
    uint64_t made; /* bytes of lines */
    int failure;
    const char *reason;
};

static int archive_fail(tw_archive *ar, int code, const char *reason)
{
    ar->failure = code;
    ar->reason = reason;
    return code;
}

static int archive_lines_failed(tw_archive *ar, int code)
{
    return archive_fail(
        ar, code, code == TW_E_TOO_LARGE ? "held a line longer than is allowed" : NULL);
}

static int archive_begin(void *ctx, const char *name, size_t size)
{
    tw_archive *ar = ctx;

    ar->is_folder = size != 0 && name[size - 1] == '/';
    tw__gunzip_reset(ar->gz);
    return TW_OK;
}

static int archive_data(void *ctx, const char *bytes, size_t size, size_t *used)
{
    tw_archive *ar = ctx;

    for (;;) {
        size_t took = 0;
        size_t made = 0;
        size_t room;
        char *out;
        int rc;

        if (!ar->sink.ready(ar->ctx))
            return TW_AGAIN;
        rc = tw__lines_room(&ar->lines, &out, &room);
        if (rc != TW_OK)
            return archive_lines_failed(ar, rc);
        rc = tw__gunzip_run(ar->gz, bytes + *used, size - *used, &took, out, room, &made);
        tw__lines_commit(&ar->lines, made);
        *used += took;
        ar->made += made;
        if (rc < 0)
            return archive_fail(ar, rc,
                                rc == TW_E_PROTOCOL ? tw__gunzip_reason(ar->gz) : NULL);
        if (ar->made > TW_RATIO_FREE_BYTES + (uint64_t)ar->options.max_ratio * ar->given)
            return archive_fail(ar, TW_E_TOO_LARGE,
                                "grew too much while it was inflated");
        if (rc == TW_DONE)
            return TW_DONE;
        if (*used == size && made < room)
            return TW_OK;
    }
}

static int archive_end(void *ctx)
{
    tw_archive *ar = ctx;
    int rc;

    if (!tw__gunzip_between(ar->gz))
        return archive_fail(ar, TW_E_PROTOCOL, "held a gzip file that was cut off");
    if (tw__gunzip_members(ar->gz) == 0 && !ar->is_folder)
        return archive_fail(ar, TW_E_PROTOCOL, "held an empty file where gzip was due");
    /* A line ends with its file. */
    rc = tw__lines_break(&ar->lines);
    return rc == TW_OK ? TW_OK : archive_lines_failed(ar, rc);
}

static const tw_zip_sink archive_sink = {archive_begin, archive_data, archive_end};

int tw__archive_new(tw_archive **out, const tw_archive_options *options,
                    const tw_archive_sink *sink, void *ctx)
{
    tw_zip_options zip_options = TW_ZIP_OPTIONS_INIT;
    tw_archive *ar = tw__alloc_zero(1, sizeof *ar);
    int rc;

    *out = NULL;
    if (ar == NULL)
        return TW_E_NOMEM;
    ar->options = *options;
    ar->sink = *sink;
    ar->ctx = ctx;
    tw__lines_init(&ar->lines, options->block_bytes, options->max_line_bytes, sink->emit,
                   ctx);
    zip_options.inflate = options->inflate;
    zip_options.max_ratio = options->max_ratio;
    rc = tw__gunzip_new(&ar->gz, options->inflate);
    if (rc == TW_OK)
        rc = tw__zip_new(&ar->zip, &zip_options, &archive_sink, ar);
    if (rc != TW_OK) {
        tw__archive_free(ar);
        return rc;
    }
    *out = ar;
    return TW_OK;
}

void tw__archive_free(tw_archive *ar)
{
    if (ar == NULL)
        return;
    tw__zip_free(ar->zip);
    tw__gunzip_free(ar->gz);
    tw__lines_clear(&ar->lines);
    tw__free(ar);
}

int tw__archive_feed(tw_archive *ar, const char *bytes, size_t size, size_t *used)
{
    int rc;

    ar->given = ar->fed + size;
    rc = tw__zip_feed(ar->zip, bytes, size, used);
    ar->fed += *used;
    if (rc < 0 && ar->failure == 0)
        archive_fail(ar, rc, tw__zip_reason(ar->zip));
    return rc;
}

int tw__archive_finish(tw_archive *ar)
{
    int rc = ar->failure != 0 ? ar->failure : tw__zip_finish(ar->zip);

    if (rc != TW_OK)
        return ar->failure != 0 ? rc : archive_fail(ar, rc, tw__zip_reason(ar->zip));
    rc = tw__lines_finish(&ar->lines);
    return rc == TW_OK ? TW_OK : archive_lines_failed(ar, rc);
}

int tw__archive_error(const tw_archive *ar, tw_error **err)
{
    if (ar->failure == TW_E_NOMEM)
        return tw__error_nomem(err);
    return tw__error(err, ar->failure, "the export archive %s (at byte %llu, file %llu)",
                     ar->reason != NULL ? ar->reason : "could not be handed out",
                     (unsigned long long)tw__zip_offset(ar->zip),
                     (unsigned long long)tw__zip_members(ar->zip));
}
