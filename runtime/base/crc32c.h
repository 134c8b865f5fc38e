/* CRC-32C (Castagnoli), which TensorFlow's checkpoints and TensorBoard's event files carry. Our own, because neither
 * OpenSSL nor zlib has this polynomial. */
#ifndef PML_RUNTIME_BASE_CRC32C_H
#define PML_RUNTIME_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` is of, followed by these bytes; `crc` of nothing is 0. */
uint32_t pml_crc32c_extend(uint32_t crc, const void *bytes, size_t size_bytes);

/* As it is stored: turned by 15 bits and moved, so that the checksum of data that hold a checksum stays meaningful. */
static inline uint32_t pml_crc32c_mask(uint32_t crc) {
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

#endif
