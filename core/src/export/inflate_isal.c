/* SPDX-License-Identifier: MIT */
/* The inflate backend on ISA-L: two to three times zlib's speed. */
#include "export/inflate.h"

#ifdef TW_HAVE_ISAL

#include <string.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <tidewheel/common.h>

#include "base/alloc.h"

typedef struct isal_box {
    struct inflate_state s;
    size_t tail_size;
    char tail[TW_INFLATE_TAIL];
} isal_box;

static void isal_reset(void *state)
{
    isal_box *box = state;

    isal_inflate_init(&box->s);
    box->s.crc_flag = ISAL_DEFLATE;
    box->tail_size = 0;
}

static void *isal_open(void)
{
    isal_box *box = tw__alloc_zero(1, sizeof *box);

    if (box != NULL)
        isal_reset(box);
    return box;
}

static void isal_close(void *state)
{
    tw__free(state);
}

/* ISA-L loads up to eight bytes ahead into its bit buffer. Whole bytes that are still
 * in it at the end do not belong to the stream: they are given back, and those that
 * came with an earlier input are kept as the tail. */
static void isal_give_back(isal_box *box, size_t *used)
{
    uint64_t bits = box->s.read_in >> (box->s.read_in_length % 8);
    size_t over = (size_t)box->s.read_in_length / 8;
    size_t i;

    if (over <= *used) {
        *used -= over;
        return;
    }
    box->tail_size = over - *used;
    *used = 0;
    for (i = 0; i < box->tail_size && i < sizeof box->tail; i++) /* never more than 8 */
        box->tail[i] = (char)(bits >> (8 * i));
}

static int isal_run(void *state, const char *bytes, size_t size, size_t *used, char *out,
                    size_t room, size_t *made)
{
    isal_box *box = state;
    int rc;

    box->s.next_in = (uint8_t *)bytes;
    box->s.avail_in = (uint32_t)size;
    box->s.next_out = (uint8_t *)out;
    box->s.avail_out = (uint32_t)room;
    rc = isal_inflate(&box->s);
    *used = 0;
    *made = 0;
    /* After a failure ISA-L's counters are not to be trusted: they have been seen one
     * too far. */
    if (rc < 0 || box->s.avail_in > size || box->s.avail_out > room)
        return TW_E_PROTOCOL;
    *used = size - box->s.avail_in;
    *made = room - box->s.avail_out;
    if (box->s.block_state != ISAL_BLOCK_FINISH || box->s.read_in_length < 0)
        return TW_OK;
    isal_give_back(box, used);
    return TW_DONE;
}

static size_t isal_tail(const void *state, char tail[TW_INFLATE_TAIL])
{
    const isal_box *box = state;

    memcpy(tail, box->tail, box->tail_size);
    return box->tail_size;
}

const tw_inflate_backend tw__inflate_isal = {isal_open, isal_close, isal_reset, isal_run,
                                             isal_tail};

uint32_t tw__crc32_isal(uint32_t crc, const void *bytes, size_t size)
{
    return crc32_gzip_refl(crc, bytes, size);
}

#else
typedef int tw_isal_was_not_built_in;
#endif
