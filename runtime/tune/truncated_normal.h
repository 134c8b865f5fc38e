/* The standard normal distribution between two bounds, by logarithms, so that bounds far out in a tail lose nothing. */
#ifndef PML_RUNTIME_TUNE_TRUNCATED_NORMAL_H
#define PML_RUNTIME_TUNE_TRUNCATED_NORMAL_H

/* The logarithm of the probability below x. */
double pml_normal_log_below(double x);
/* The logarithm of the probability between a and b, a < b. */
double pml_normal_log_mass(double a, double b);
/* The point of [a, b] below which the share `q`, from 0 to 1, of their probability lies. */
double pml_normal_truncated_quantile(double q, double a, double b);
/* The logarithm of the density at x. */
double pml_normal_log_density(double x);

#endif
