#include "convert/plan_print.h"

#include <inttypes.h>
#include <string.h>

#include "convert/pack.h"
#include "convert/text_table.h"
#include "runtime/base/json_writer.h"
#include "runtime/cli/command.h"
#include "runtime/cli/describe.h"
#include "runtime/cli/printable.h"

static const char *source_name(const pml_plan_tensor *tensor) {
    return tensor->mapped->parts[0].source->name;
}

static const char *metadata_text(const pml_plan *plan, const char *key) {
    const pml_meta_entry *entry = pml_metadata_find(plan->metadata, key);
    return entry != NULL && entry->type == PML_META_STRING ? entry->value.string : "";
}

pml_status pml_plan_print_tensors(const pml_plan *plan, FILE *stream, pml_error *error) {
    static const char *const title[] = {"weight", "shape", "stored", "bytes", "transform", "source", "dtype"};
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, sizeof title / sizeof title[0], 1u << 3);
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const pml_plan_tensor *tensor = &plan->tensors[i];
        const pml_mapped_weight *mapped = tensor->mapped;
        char shape[PML_SHAPE_TEXT_BYTES], stored[32], size[32], source[PML_MAX_NAME_BYTES + 32];
        (void)snprintf(stored, sizeof stored, tensor->group_rows == 0 ? "%s %s" : "%s %s g%u",
                       pml_dtype_name(tensor->dtype), pml_layout_name(tensor->layout), tensor->group_rows);
        (void)snprintf(size, sizeof size, "%" PRIu64, tensor->size_bytes);
        (void)snprintf(source, sizeof source, mapped->n_parts > 1 ? "%s and %zu more" : "%s", source_name(tensor),
                       mapped->n_parts - 1);
        const char *cells[] = {mapped->weight->name,
                               pml_shape_text(mapped->weight->shape, mapped->weight->rank, shape),
                               stored,
                               size,
                               mapped->transform[0] != '\0' ? mapped->transform : "-",
                               source,
                               pml_dtype_name(mapped->parts[0].source->dtype)};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    pml_text_table_print(&table, stream, 0);
done:
    pml_text_table_deinit(&table);
    return status;
}

/* How many tensors are stored in each form: "38 F32 panel, 41 F32 row". */
static void print_forms(const pml_plan *plan, FILE *stream) {
    static const struct {
        pml_dtype dtype;
        uint32_t group_rows;
        pml_layout layout;
        const char *text;
    } forms[] = {{PML_DTYPE_F32, 0, PML_LAYOUT_PANEL, "F32 panel"},
                 {PML_DTYPE_F32, 0, PML_LAYOUT_ROW, "F32 row"},
                 {PML_DTYPE_BF16, 0, PML_LAYOUT_PANEL, "BF16 panel"},
                 {PML_DTYPE_BF16, 0, PML_LAYOUT_ROW, "BF16 row"},
                 {PML_DTYPE_I8, 0, PML_LAYOUT_PANEL, "I8 panel"},
                 {PML_DTYPE_I8, 64, PML_LAYOUT_PANEL, "I8 panel in groups of 64"},
                 {PML_DTYPE_I8, 32, PML_LAYOUT_PANEL, "I8 panel in groups of 32"}};
    const char *separator = "";
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
        size_t count = 0;
        for (size_t i = 0; i < plan->n_tensors; i++) {
            const pml_plan_tensor *tensor = &plan->tensors[i];
            count += tensor->dtype == forms[k].dtype && tensor->layout == forms[k].layout &&
                     tensor->group_rows == forms[k].group_rows;
        }
        if (count > 0) {
            (void)fprintf(stream, "%s%zu %s", separator, count, forms[k].text);
            separator = ", ";
        }
    }
}

static void print_one_dropped(const pml_dropped_tensor *dropped, size_t n_more, FILE *stream) {
    (void)fputs("left out: ", stream);
    pml_printable_write(stream, dropped->source->name);
    if (n_more > 0) {
        (void)fprintf(stream, " and %zu more", n_more);
    }
    (void)fprintf(stream, " (%s)\n", dropped->reason);
}

/* Tensors left out for one reason share a line, unless all of them are wanted. */
static void print_dropped(const pml_plan *plan, bool all, FILE *stream) {
    enum { MAX_REASONS = 16 };
    struct {
        const pml_dropped_tensor *first;
        size_t count;
    } reasons[MAX_REASONS];
    size_t n_reasons = 0;
    for (size_t i = 0; i < plan->mapping->n_dropped; i++) {
        const pml_dropped_tensor *dropped = &plan->mapping->dropped[i];
        size_t k = 0;
        while (k < n_reasons && strcmp(reasons[k].first->reason, dropped->reason) != 0) {
            k++;
        }
        if (all || k == MAX_REASONS) {
            print_one_dropped(dropped, 0, stream);
        } else if (k == n_reasons) {
            reasons[n_reasons].first = dropped;
            reasons[n_reasons++].count = 1;
        } else {
            reasons[k].count++;
        }
    }
    for (size_t k = 0; k < n_reasons; k++) {
        print_one_dropped(reasons[k].first, reasons[k].count - 1, stream);
    }
}

void pml_plan_print_summary(const pml_plan *plan, bool all, FILE *stream) {
    const pml_detection *detection = &plan->mapping->detection;
    char source_size[32], size[32], buffers[32];
    (void)fputs("source: ", stream);
    pml_printable_write(stream, plan->bundle->origin);
    (void)fprintf(stream, ", %zu tensors in %zu file%s, %s\n", pml_source_n_tensors(plan->bundle->tensors),
                  pml_source_n_files(plan->bundle->tensors), pml_source_n_files(plan->bundle->tensors) == 1 ? "" : "s",
                  pml_cli_size_text(plan->source_bytes, source_size));
    (void)fprintf(stream, "model: %s (%s), %s\n", metadata_text(plan, "general.family"),
                  metadata_text(plan, "provenance.dialect"), metadata_text(plan, "general.variant"));
    for (size_t i = 0; i < detection->n_assumed; i++) {
        (void)fputs("assumed: ", stream);
        pml_printable_write(stream, detection->assumed[i]);
        (void)fputc('\n', stream);
    }
    print_dropped(plan, all, stream);
    (void)fputs("stored: ", stream);
    print_forms(plan, stream);
    (void)fprintf(stream, ", %s; buffers %s\n", pml_cli_size_text(plan->size_bytes, size),
                  pml_cli_size_text(pml_packer_buffer_bytes(), buffers));
}

static void print_json_tensors(const pml_plan *plan, pml_json_writer *w) {
    pml_json_begin_array(w, "tensors");
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const pml_plan_tensor *tensor = &plan->tensors[i];
        const pml_mapped_weight *mapped = tensor->mapped;
        pml_json_begin_object(w, NULL);
        pml_json_string(w, "name", mapped->weight->name);
        pml_shape_json(w, "shape", mapped->weight->shape, mapped->weight->rank);
        pml_json_string(w, "dtype", pml_dtype_name(tensor->dtype));
        pml_json_string(w, "layout", pml_layout_name(tensor->layout));
        if (tensor->dtype == PML_DTYPE_I8) {
            pml_json_u64(w, "group_rows", tensor->group_rows);
        }
        pml_json_u64(w, "size_bytes", tensor->size_bytes);
        pml_json_string(w, "transform", mapped->transform);
        pml_json_begin_array(w, "sources");
        for (size_t k = 0; k < mapped->n_parts; k++) {
            pml_json_string(w, NULL, mapped->parts[k].source->name);
        }
        pml_json_end_array(w);
        pml_json_string(w, "source_dtype", pml_dtype_name(mapped->parts[0].source->dtype));
        pml_json_end_object(w);
    }
    pml_json_end_array(w);
}

pml_status pml_plan_print_json(const pml_plan *plan, const pml_convert_report *report,
                               const pml_calibration *calibration, double seconds, FILE *stream, pml_error *error) {
    const pml_detection *detection = &plan->mapping->detection;
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", plan->output);
    pml_json_bool(&w, "converted", report != NULL);
    pml_json_u64(&w, "size_bytes", report != NULL ? report->size_bytes : plan->size_bytes);
    pml_json_string(&w, "source", plan->bundle->origin);
    pml_json_u64(&w, "source_bytes", plan->source_bytes);
    pml_json_string(&w, "family", metadata_text(plan, "general.family"));
    pml_json_string(&w, "dialect", metadata_text(plan, "provenance.dialect"));
    pml_json_string(&w, "variant", metadata_text(plan, "general.variant"));
    pml_json_u64(&w, "n_tensors", plan->n_tensors);
    pml_json_u64(&w, "buffer_bytes", pml_packer_buffer_bytes());
    print_json_tensors(plan, &w);
    pml_json_begin_array(&w, "dropped");
    for (size_t i = 0; i < plan->mapping->n_dropped; i++) {
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "name", plan->mapping->dropped[i].source->name);
        pml_json_string(&w, "reason", plan->mapping->dropped[i].reason);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "assumed");
    for (size_t i = 0; i < detection->n_assumed; i++) {
        pml_json_string(&w, NULL, detection->assumed[i]);
    }
    pml_json_end_array(&w);
    if (report != NULL) {
        pml_json_u64(&w, "n_nonfinite", report->n_nonfinite);
        pml_json_u64(&w, "n_overflowed", report->n_overflowed);
        pml_json_f64(&w, "quantization_error", report->quantization_error);
        pml_json_u64(&w, "n_selftest_outputs", report->n_selftest_outputs);
        pml_json_f64(&w, "seconds", seconds);
    }
    if (calibration != NULL) {
        pml_calibration_json(calibration, &w);
    }
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}
