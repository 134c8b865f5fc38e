/* I8 panels: per chunk the scales are searched, the values rounded, and values, scales and sums handed over. */
#include <math.h>
#include <string.h>

#include "convert/i8_search.h"
#include "convert/pack_parts.h"
#include "runtime/base/cancel.h"

enum { DEPTH = PML_I8_DEPTH, LANES = PML_PANEL_COLUMNS };

typedef struct i8_packing {
    pml_packer *packer;
    const pml_pack_job *job;
    pml_pack_result *result;
    pml_i8_losses losses;
    size_t most_rows, most_columns; /* of a chunk */
    size_t n_entries;               /* scales and sums that wait in the packer's buffers */
} i8_packing;

/* Chunks of whole columns where they fit; otherwise of one panel, in pieces of whole groups. */
static void choose_chunks(i8_packing *p) {
    const pml_gather *gather = &p->packer->gather;
    const size_t most_lines = PML_CHUNK_FLOATS / LANES, few_lines = PML_PANEL_CHUNK_FLOATS / LANES;
    if (gather->n_rows > most_lines) {
        p->most_rows = most_lines;
        p->most_columns = LANES;
        return;
    }
    p->most_rows = (size_t)gather->n_rows;
    const size_t n_padded = (p->most_rows + DEPTH - 1) / DEPTH * DEPTH;
    const size_t n_lines = gather->by_columns && n_padded <= few_lines ? few_lines : most_lines;
    const size_t n_panels = n_lines / n_padded;
    p->most_columns = (n_panels < PML_I8_CHUNK_PANELS ? n_panels : PML_I8_CHUNK_PANELS) * LANES;
}

/* Reads a chunk into packer->values. */
static pml_status read_chunk(i8_packing *p, const pml_gather_block *chunk, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_panels = (chunk->n_columns + LANES - 1) / LANES;
    PML_TRY(pml_cancel_check(error));
    PML_TRY(pml_pack_announce(p->packer, p->job, chunk, error));
    PML_TRY(pml_pack_read_panels(p->packer, chunk, error));
    if (!pml_lines_are_finite(p->packer->values, n_panels * chunk->n_rows * LANES, false)) {
        PML_TRY(pml_pack_examine(p->packer, p->job, chunk, p->result, error));
    }
done:
    return status;
}

static pml_gather_block chunk_at(const i8_packing *p, uint64_t batch, uint64_t row, uint64_t column) {
    const pml_gather *gather = &p->packer->gather;
    const uint64_t rows_left = gather->n_rows - row, columns_left = gather->n_columns - column;
    return (pml_gather_block){batch, row, column, rows_left < p->most_rows ? (size_t)rows_left : p->most_rows,
                              columns_left < p->most_columns ? (size_t)columns_left : p->most_columns};
}

/* Scales and sums of 16 columns wait for the end of their chunk. */
static void keep_entries(i8_packing *p, const float scales[LANES], const int32_t sums[LANES]) {
    const bool grouped = p->job->group_rows != 0;
    for (size_t c = 0; c < LANES; c++, p->n_entries++) {
        if (grouped) {
            const uint16_t scale = pml_f16_from_f32(scales[c] / p->result->scale_factor);
            const int16_t sum = (int16_t)sums[c];
            memcpy((uint16_t *)(void *)p->packer->scales + p->n_entries, &scale, sizeof scale);
            memcpy((uint16_t *)(void *)p->packer->sums + p->n_entries, &sum, sizeof sum);
        } else {
            memcpy(p->packer->scales + p->n_entries, &scales[c], sizeof scales[c]);
            memcpy(p->packer->sums + p->n_entries, &sums[c], sizeof sums[c]);
        }
    }
}

static pml_status hand_over(i8_packing *p, size_t data_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const size_t side_bytes = p->n_entries * (p->job->group_rows != 0 ? 2 : 4);
    PML_TRY(p->job->sink(p->job->user, p->packer->rounded, data_bytes, error));
    if (side_bytes > 0) {
        PML_TRY(p->job->side_sink(p->job->user, false, p->packer->scales, side_bytes, error));
        PML_TRY(p->job->side_sink(p->job->user, true, p->packer->sums, side_bytes, error));
    }
    p->n_entries = 0;
done:
    return status;
}

/* Rows of 16 columns that share scales and lie in the buffer; returns where the next values go. */
static int8_t *pack_group(i8_packing *p, const float *lines, size_t n_rows, int8_t *out) {
    pml_i8_search search;
    int32_t sums[LANES] = {0};
    pml_i8_search_begin(&search, p->packer->loops, p->result->scale_factor);
    do {
        pml_i8_search_add(&search, lines, n_rows);
    } while (pml_i8_search_next(&search));
    p->packer->loops->round(search.scales, lines, n_rows, out, sums, &p->losses);
    keep_entries(p, search.scales, sums);
    return out + (n_rows + DEPTH - 1) / DEPTH * DEPTH * LANES;
}

/* A chunk that holds every row of each of its groups. */
static pml_status pack_chunk(i8_packing *p, const pml_gather_block *chunk, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_panels = (chunk->n_columns + LANES - 1) / LANES;
    const size_t group = p->job->group_rows != 0 ? p->job->group_rows : chunk->n_rows;
    int8_t *start = (int8_t *)(void *)p->packer->rounded, *out = start;
    PML_TRY(read_chunk(p, chunk, error));
    for (size_t i = 0; i < n_panels; i++) {
        const float *lines = p->packer->values + i * chunk->n_rows * LANES;
        for (size_t row = 0; row < chunk->n_rows; row += group) {
            const size_t n = chunk->n_rows - row < group ? chunk->n_rows - row : group;
            out = pack_group(p, lines + row * LANES, n, out);
        }
    }
    PML_TRY(hand_over(p, (size_t)(out - start), error));
done:
    return status;
}

/* 16 columns that are longer than the buffer and have one scale each: read again in every pass. */
static pml_status pack_long_columns(i8_packing *p, uint64_t batch, uint64_t column, pml_error *error) {
    pml_status status = PML_OK;
    const uint64_t n_rows = p->packer->gather.n_rows;
    pml_i8_search search;
    int32_t sums[LANES] = {0};
    pml_i8_search_begin(&search, p->packer->loops, 0);
    do {
        for (uint64_t row = 0; row < n_rows; row += p->most_rows) {
            const pml_gather_block piece = chunk_at(p, batch, row, column);
            PML_TRY(read_chunk(p, &piece, error));
            pml_i8_search_add(&search, p->packer->values, piece.n_rows);
        }
    } while (pml_i8_search_next(&search));
    for (uint64_t row = 0; row < n_rows; row += p->most_rows) {
        const pml_gather_block piece = chunk_at(p, batch, row, column);
        PML_TRY(read_chunk(p, &piece, error));
        p->packer->loops->round(search.scales, p->packer->values, piece.n_rows, (int8_t *)(void *)p->packer->rounded,
                                sums, &p->losses);
        if (row + piece.n_rows == n_rows) {
            keep_entries(p, search.scales, sums);
        }
        PML_TRY(hand_over(p, (piece.n_rows + DEPTH - 1) / DEPTH * DEPTH * LANES, error));
    }
done:
    return status;
}

/* The greatest magnitude of the whole tensor decides about the factor of F16 scales. */
static pml_status find_factor(i8_packing *p, pml_error *error) {
    pml_status status = PML_OK;
    const pml_gather *gather = &p->packer->gather;
    float greatest[LANES] = {0}, most = 0;
    for (uint64_t batch = 0; batch < gather->n_batches; batch++) {
        for (uint64_t column = 0; column < gather->n_columns; column += p->most_columns) {
            for (uint64_t row = 0; row < gather->n_rows; row += p->most_rows) {
                const pml_gather_block chunk = chunk_at(p, batch, row, column);
                PML_TRY(read_chunk(p, &chunk, error));
                const size_t n_panels = (chunk.n_columns + LANES - 1) / LANES;
                p->packer->loops->add_greatest(p->packer->values, n_panels * chunk.n_rows, greatest);
            }
        }
    }
    for (size_t c = 0; c < LANES; c++) {
        most = fmaxf(most, greatest[c]);
    }
    p->result->scale_factor = pml_i8_factor(most);
done:
    return status;
}

pml_status pml_pack_i8(pml_packer *packer, const pml_pack_job *job, pml_pack_result *result, pml_error *error) {
    pml_status status = PML_OK;
    const pml_gather *gather = &packer->gather;
    i8_packing p = {.packer = packer, .job = job, .result = result};
    choose_chunks(&p);
    if (job->group_rows != 0) {
        PML_TRY(find_factor(&p, error));
    }
    for (uint64_t batch = 0; batch < gather->n_batches; batch++) {
        for (uint64_t column = 0; column < gather->n_columns; column += p.most_columns) {
            if (job->group_rows == 0 && p.most_rows < gather->n_rows) {
                PML_TRY(pack_long_columns(&p, batch, column, error));
                continue;
            }
            for (uint64_t row = 0; row < gather->n_rows; row += p.most_rows) {
                const pml_gather_block chunk = chunk_at(&p, batch, row, column);
                PML_TRY(pack_chunk(&p, &chunk, error));
            }
        }
    }
    pml_rounding rounding = {0};
    for (size_t c = 0; c < LANES; c++) {
        rounding.error += p.losses.errors[c];
        rounding.signal += p.losses.signals[c];
        rounding.greatest = fmax(rounding.greatest, p.losses.greatest[c]);
    }
    pml_pack_set_losses(result, &rounding);
done:
    return status;
}
