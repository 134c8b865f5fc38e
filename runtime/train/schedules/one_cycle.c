/* One rise to the learning rate and a fall far below its beginning (Smith, Topin 2019), in two phases or in three as
 * torch.optim.lr_scheduler.OneCycleLR has them. It moves the learning rate alone: momentum stays
 * (cycle_momentum=False).
 */
#include <math.h>

#include "runtime/train/schedule.h"

#define PI 3.14159265358979323846

enum { PCT_START, ANNEAL, DIV_FACTOR, FINAL_DIV_FACTOR, THREE_PHASE };
enum { COSINE, LINEAR };
static const pml_plugin_option options[] = {
    {"pct_start", PML_PLUGIN_NUMBER, "0.3", "[0, 1]", "share of the steps that the rise takes"},
    {"anneal", PML_PLUGIN_CHOICE, "cos", "cos|linear", "form of rise and fall"},
    {"div_factor", PML_PLUGIN_NUMBER, "25", "[1e-9, 1e9]", "the rate over the first one"},
    {"final_div_factor", PML_PLUGIN_NUMBER, "10000", "[1e-9, 1e12]", "the first rate over the last one"},
    {"three_phase", PML_PLUGIN_SWITCH, "false", NULL, "fall to the first rate as fast as the rise, then to the last"},
    {0}};

typedef struct phase {
    double end, from, to;
} phase;

static double anneal(double form, const phase *p, double progress) {
    if (form == LINEAR) {
        return p->from + (p->to - p->from) * progress;
    }
    return p->to + (p->from - p->to) / 2 * (1 + cos(PI * progress));
}

static double factor(const pml_settings *settings, const pml_schedule_point *point) {
    const double first = 1 / pml_setting(settings, DIV_FACTOR);
    const double last = first / pml_setting(settings, FINAL_DIV_FACTOR);
    const double total = (double)point->n_steps, rise = pml_setting(settings, PCT_START) * total;
    const phase two[] = {{rise - 1, first, 1}, {total - 1, 1, last}};
    const phase three[] = {{rise - 1, first, 1}, {2 * rise - 2, 1, first}, {total - 1, first, last}};
    const bool is_three = pml_setting(settings, THREE_PHASE) != 0;
    const phase *phases = is_three ? three : two;
    const size_t n_phases = is_three ? 3 : 2;
    const double t = fmin((double)point->i_step, total - 1);
    double begin = 0;
    size_t i = 0;
    for (; i + 1 < n_phases && t > phases[i].end; i++) {
        begin = phases[i].end;
    }
    const double length = phases[i].end - begin;
    return anneal(pml_setting(settings, ANNEAL), &phases[i], length == 0 ? 1 : (t - begin) / length);
}

const pml_schedule pml_schedule_one_cycle = {
    .plugin = {.name = "one_cycle", .help = "one rise to the rate, a fall below its beginning", .options = options},
    .factor = factor,
};
