/* The reader of kept series over arbitrary bytes. Bytes with the right magic get checksums that fit, as an attacker
 * would give them, so that mutations reach what lies behind them. Whatever is accepted is walked through. */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/series/series_cache.h"
#include "runtime/series/series_cache_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void make_fit(uint8_t *bytes, size_t size_bytes) {
    pml_series_cache_header header;
    if (size_bytes < sizeof header || memcmp(bytes, PML_SERIES_CACHE_MAGIC, 8) != 0) {
        return;
    }
    memcpy(&header, bytes, sizeof header);
    header.file_bytes = size_bytes;
    header.body_checksum = XXH3_64bits(bytes + sizeof header, size_bytes - sizeof header);
    header.header_checksum = XXH3_64bits(&header, offsetof(pml_series_cache_header, header_checksum));
    memcpy(bytes, &header, sizeof header);
}

static volatile double sink; /* so that nothing of what is read is left out */

static void walk(const pml_series *series) {
    size_t n_chars = 0;
    for (size_t c = 0; c < series->n_columns; c++) {
        n_chars += strlen(series->columns[c]);
    }
    n_chars += series->date_column != NULL ? strlen(series->date_column) : 0;
    double sum = 0;
    for (size_t i = 0; i < series->n_rows * series->n_columns; i++) {
        sum += series->values[i];
    }
    for (size_t i = 0; i < series->n_rows; i++) {
        if (series->stamps_us != NULL) {
            char text[PML_STAMP_TEXT_BYTES];
            const pml_calendar at = pml_stamp_calendar(series->stamps_us[i]);
            if (at.month < 1 || at.month > 12 ||
                *pml_stamp_text(series->stamps_us[i], &series->stamp_form, text) == 0) {
                abort();
            }
        }
        sum += (double)pml_series_line(series, i);
    }
    sink = sum + (double)n_chars;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    void *copy = NULL;
    pml_series series;
    pml_error error;
    if (pml_alloc_aligned(size_bytes + 1, &copy, &error) != PML_OK) {
        return 0;
    }
    memcpy(copy, bytes, size_bytes);
    make_fit(copy, size_bytes);
    if (pml_series_cache_view(copy, size_bytes, NULL, &series, &error) == PML_OK) {
        walk(&series);
        pml_free(series.columns);
    }
    pml_free(copy);
    return 0;
}
