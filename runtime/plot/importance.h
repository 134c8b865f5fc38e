/* How much each parameter of a study has to do with reaching its best values: PED-ANOVA (Watanabe, Bansal, Hutter,
 * "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces", IJCAI 2023), with parameters
 * that are not always there as in its conditional form (arXiv 2601.20800), and with what Optuna 5 has as its default:
 * the best tenth of the trials against all of them, densities on a grid of at most 50 values by Scott's rule, one
 * prior. fANOVA, the older default, would need a forest of regression trees. */
#ifndef PML_RUNTIME_PLOT_IMPORTANCE_H
#define PML_RUNTIME_PLOT_IMPORTANCE_H

#include "runtime/tune/trial.h"

/* `trials`, all complete, with finite values; importances[i] of the parameter names[i], not negative, sum 1; all equal
 * where nothing can be said (one trial, or the best tenth is all of them). Errors: MEMORY. */
pml_status pml_importance(const pml_trial *const *trials, size_t n_trials, pml_study_direction direction,
                          const char *const *names, size_t n_names, double *importances,
                          pml_error *error) PML_WARN_UNUSED;

#endif
