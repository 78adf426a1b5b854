/* SPDX-License-Identifier: MIT */
/* Two $identify events of one user as one that means the same. */
#ifndef TW_INGEST_MERGE_H
#define TW_INGEST_MERGE_H

#include <stddef.h>

/* A merged event is at most so much larger than the later one. */
enum { TW_MERGED_BYTES = 4096 };

/*
 * `first` and `later` are records; the closing brace of `later` may be missing, and stays so. The
 * result is `later` with the operations of both: applied instead of the two, or after `first`, it
 * leaves the properties as they do. TW_OK; TW_DONE where there is no such event or it would be too
 * large; TW_E_NOMEM. Free with tw__free. @thread any
 */
int tw__merge_identify(char **out, size_t *size, const char *first, size_t first_size,
                       const char *later, size_t later_size);

#endif
