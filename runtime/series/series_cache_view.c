/* Reading the file of a parsed series: foreign bytes until their checksums have been seen, and bounded even then. */
#include <math.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/limits.h"
#include "runtime/series/series_cache.h"
#include "runtime/series/series_cache_format.h"

#define FIRST_STAMP_US INT64_C(-62135596800000000) /* the years 1 to 9999 */
#define LAST_STAMP_US INT64_C(253402300799999999)

/* Puts a part of `count` elements of 8 bytes at the next aligned place. */
static bool put(uint64_t count, uint64_t *end, uint64_t *place) {
    uint64_t size_bytes;
    return pml_ck_pad(*end, PML_SERIES_CACHE_ALIGNMENT, place) && pml_ck_mul(count, 8, &size_bytes) &&
           pml_ck_add(*place, size_bytes, end);
}

bool pml_series_cache_place(const pml_series_cache_header *header, pml_series_cache_places *places) {
    const uint64_t n_rows = header->n_rows, n_columns = header->n_columns;
    uint64_t n_values;
    *places = (pml_series_cache_places){.names = sizeof *header};
    return n_rows > 0 && n_columns > 0 && n_columns <= PML_MAX_CSV_COLUMNS &&
           pml_ck_mul(n_rows, n_columns, &n_values) && n_values <= PML_SERIES_CACHE_MOST_VALUES &&
           pml_ck_add(places->names, header->names_bytes, &places->end) &&
           ((header->flags & PML_SERIES_HAS_DATES) == 0 || put(n_rows, &places->end, &places->stamps)) &&
           ((header->flags & PML_SERIES_HAS_LINES) == 0 || put(n_rows, &places->end, &places->lines)) &&
           put(n_values, &places->end, &places->values);
}

static const char *header_fault(const pml_series_cache_header *header, const uint8_t *bytes, size_t size_bytes,
                                const pml_series_key *key, pml_series_cache_places *places) {
    if (memcmp(header->magic, PML_SERIES_CACHE_MAGIC, sizeof header->magic) != 0) {
        return "not a series of pml";
    }
    if (header->header_checksum != XXH3_64bits(bytes, offsetof(pml_series_cache_header, header_checksum))) {
        return "a header that does not have its checksum";
    }
    if (header->version != PML_SERIES_CACHE_VERSION || header->reserved != 0 || header->fraction_digits > 6 ||
        (header->flags & ~(uint32_t)PML_SERIES_ALL_FLAGS) != 0) {
        return "another version";
    }
    if (key != NULL &&
        (memcmp(header->key, key->bytes, sizeof header->key) != 0 || header->csv_bytes != key->csv_bytes)) {
        return "the series of another file";
    }
    if (!pml_series_cache_place(header, places) || places->end != header->file_bytes ||
        header->file_bytes != size_bytes) {
        return "sizes that do not fit the file";
    }
    return XXH3_64bits(bytes + sizeof *header, size_bytes - sizeof *header) == header->body_checksum
               ? NULL
               : "content that does not have its checksum";
}

/* Column names are views; there must be as many as the header says, and nothing behind them. */
static bool take_names(const pml_series_cache_header *header, const uint8_t *bytes, pml_series *series) {
    const bool has_dates = (header->flags & PML_SERIES_HAS_DATES) != 0;
    const uint64_t n_names = header->n_columns + has_dates;
    const uint8_t *at = bytes + sizeof *header, *end = at + header->names_bytes;
    for (uint64_t i = 0; i < n_names; i++) {
        const uint8_t *zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (zero == NULL) {
            return false;
        }
        if (i < header->n_columns) {
            series->columns[i] = (char *)(uintptr_t)at;
        } else {
            series->date_column = (char *)(uintptr_t)at;
        }
        at = zero + 1;
    }
    return at == end;
}

static bool are_values_possible(const pml_series *series) {
    for (size_t i = 0; i < series->n_rows * series->n_columns; i++) {
        if (isinf(series->values[i])) {
            return false;
        }
    }
    for (size_t i = 0; series->stamps_us != NULL && i < series->n_rows; i++) {
        if (series->stamps_us[i] < FIRST_STAMP_US || series->stamps_us[i] > LAST_STAMP_US) {
            return false;
        }
    }
    return true;
}

pml_status pml_series_cache_view(const uint8_t *bytes, size_t size_bytes, const pml_series_key *key, pml_series *series,
                                 pml_error *error) {
    pml_status status = PML_OK;
    pml_series_cache_header header;
    pml_series_cache_places places;
    pml_series made = {0};
    if (size_bytes < sizeof header) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%zu bytes, shorter than a header", size_bytes));
    }
    memcpy(&header, bytes, sizeof header);
    const char *fault = header_fault(&header, bytes, size_bytes, key, &places);
    if (fault != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s", fault));
    }
    uint8_t *const base = (uint8_t *)(uintptr_t)bytes; /* pml_series has no const; its users are told */
    made.n_rows = (size_t)header.n_rows;
    made.n_columns = (size_t)header.n_columns;
    made.values = (double *)(void *)(base + places.values);
    made.stamps_us = places.stamps != 0 ? (int64_t *)(void *)(base + places.stamps) : NULL;
    made.lines = places.lines != 0 ? (uint64_t *)(void *)(base + places.lines) : NULL;
    made.stamp_form = (pml_stamp_form){.has_time = (header.flags & PML_SERIES_STAMP_TIME) != 0,
                                       .has_seconds = (header.flags & PML_SERIES_STAMP_SECONDS) != 0,
                                       .fraction_digits = header.fraction_digits,
                                       .has_t = (header.flags & PML_SERIES_STAMP_T) != 0,
                                       .has_z = (header.flags & PML_SERIES_STAMP_Z) != 0};
    PML_TRY(pml_alloc(made.n_columns, sizeof *made.columns, &made.columns, error));
    if (!take_names(&header, bytes, &made) || !are_values_possible(&made)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "names, dates or values that no CSV file gives"));
    }
    *series = made;
    made.columns = NULL;
done:
    pml_free(made.columns);
    return status;
}
