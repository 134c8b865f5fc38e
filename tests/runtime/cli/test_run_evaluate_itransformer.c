#include "tests/runtime/cli/evaluate_case.h"

static void matches_itransformer_on_etth1(void) {
    matches_the_recorded_errors("ett/itransformer-etth1-96");
}

static void knows_the_official_names_of_runs(void) {
    matches_by_its_runs_name(
        "ett/itransformer-etth1-96",
        "ETTh1_96_96_iTransformer_ETTh1_M_ft96_sl48_ll96_pl128_dm8_nh2_el1_dl128_df1_fctimeF_ebTrue_"
        "dtExp_projection_0",
        "--set use_norm=1 --set freq=h");
}

PML_TESTS("runtime/cli/run_evaluate_itransformer", PML_TEST(matches_itransformer_on_etth1),
          PML_TEST(knows_the_official_names_of_runs))
