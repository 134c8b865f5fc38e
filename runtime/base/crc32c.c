/* Eight bytes at a time with eight tables, each one byte further into the polynomial (Kounavis and Berry 2005). */
#include "runtime/base/crc32c.h"

#include <pthread.h>

#include "runtime/base/bytes.h"

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
        }
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++) {
            tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
        }
    }
}

uint32_t pml_crc32c_extend(uint32_t crc, const void *bytes, size_t size_bytes) {
    (void)pthread_once(&tables_once, fill_tables);
    const uint8_t *at = bytes;
    crc = ~crc;
    for (; size_bytes >= 8; size_bytes -= 8, at += 8) {
        uint64_t word = pml_load_u64(at) ^ crc;
        crc = 0;
        for (int k = 0; k < 8; k++, word >>= 8) {
            crc ^= tables[7 - k][word & 0xff];
        }
    }
    for (; size_bytes > 0; size_bytes--, at++) {
        crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}
