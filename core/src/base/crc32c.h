/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli), the checksum of iSCSI and ext4 (RFC 3720, appendix B.4). */
#ifndef TW_BASE_CRC32C_H
#define TW_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, 0 at the start: the sum of two pieces is that of the whole. @thread
 * any */
uint32_t tw__crc32c(uint32_t crc, const void *bytes, size_t size);
/* The same without the processor's own instruction. */
uint32_t tw__crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif
