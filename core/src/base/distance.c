/* SPDX-License-Identifier: MIT */
/* How far apart two names are, for "did you mean". */
#include "base/distance.h"

unsigned tw__distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned row[TW_DISTANCE_MOST + 1];
    size_t i, j;

    if (a_size > TW_DISTANCE_MOST || b_size > TW_DISTANCE_MOST)
        return TW_DISTANCE_MOST;
    for (j = 0; j <= b_size; j++)
        row[j] = (unsigned)j;
    for (i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (j = 1; j <= b_size; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_size];
}
