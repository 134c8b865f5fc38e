/* The grammar of plug-ins: names, options of every type, and what is refused with which words. */
#include "runtime/base/plugin.h"

#include <string.h>

#include "tests/harness.h"

enum { SIZE, BETAS, FAST, MODE, STEPS, EXTRA };
static const pml_plugin_option full_options[] = {
    {"size", PML_PLUGIN_NUMBER, NULL, "(0, inf)", "how large"},
    {"betas", PML_PLUGIN_LIST, "0.9/0.999", "[0, 1)", "shares kept"},
    {"fast", PML_PLUGIN_SWITCH, "false", NULL, "hurry"},
    {"mode", PML_PLUGIN_CHOICE, "sum", "mean|sum|none", "what is made of it"},
    {"steps", PML_PLUGIN_INTEGER, "10", "[1, 100]", "how many"},
    {"extra", PML_PLUGIN_NUMBER, "", "[0, inf)", "if at all"},
    {0}};
static const pml_plugin_option open_options[] = {{"levels", PML_PLUGIN_LIST, "0.5", "(0, 1)", "levels"}, {0}};
static const pml_plugin full = {"full", "with options", full_options, false};
static const pml_plugin open = {"open", "with a list", open_options, true};
static const pml_plugin bare = {"bare", "without options", NULL, false};
static const pml_plugin *const plugins[] = {&full, &open, &bare, NULL};

static pml_settings settings;
static size_t chosen;

static pml_status choose(const char *spec, pml_error *error) {
    return pml_plugin_choose("thing", plugins, spec, &chosen, &settings, error);
}

static void reads_every_type(void) {
    pml_error error;
    PML_ASSERT_OK(choose("full:size=1.5e2,betas=0.5/0,fast=true,mode=none,steps=7", &error), &error);
    CU_ASSERT_EQUAL(chosen, 0);
    CU_ASSERT_EQUAL(pml_setting(&settings, SIZE), 150);
    CU_ASSERT_EQUAL(settings.values[BETAS][0], .5);
    CU_ASSERT_EQUAL(settings.values[BETAS][1], 0);
    CU_ASSERT_EQUAL(settings.n_values[BETAS], 2);
    CU_ASSERT_EQUAL(pml_setting(&settings, FAST), 1);
    CU_ASSERT_EQUAL(pml_setting(&settings, MODE), 2);
    CU_ASSERT_EQUAL(pml_setting(&settings, STEPS), 7);
    PML_ASSERT_OK(choose("full:size=1", &error), &error);
    CU_ASSERT_EQUAL(settings.values[BETAS][1], .999);
    CU_ASSERT_EQUAL(pml_setting(&settings, FAST), 0);
    CU_ASSERT_EQUAL(pml_setting(&settings, MODE), 1);
    CU_ASSERT_EQUAL(pml_setting(&settings, STEPS), 10);
    CU_ASSERT_EQUAL(settings.n_values[EXTRA], 0);
    PML_ASSERT_OK(choose("full:size=1,extra=0", &error), &error);
    CU_ASSERT_EQUAL(settings.n_values[EXTRA], 1);
    PML_ASSERT_OK(choose("bare", &error), &error);
    CU_ASSERT_EQUAL(chosen, 2);
    PML_ASSERT_OK(choose("bare:", &error), &error);
    PML_ASSERT_OK(choose("open:levels=0.1/0.5/0.9", &error), &error);
    CU_ASSERT_EQUAL(settings.n_values[0], 3);
}

static void names_what_there_is(void) {
    pml_error error;
    PML_ASSERT_FAILS(choose("fulll:size=1", &error), PML_E_NOT_FOUND, &error,
                     "there is no thing 'fulll'; there are full, open, bare");
    PML_ASSERT_FAILS(choose("", &error), PML_E_NOT_FOUND, &error, "there is no thing ''");
    PML_ASSERT_FAILS(choose("full:sise=1", &error), PML_E_ARGUMENT, &error,
                     "thing full has no option 'sise'; it has size, betas, fast, mode, steps, extra");
    PML_ASSERT_FAILS(choose("bare:x=1", &error), PML_E_ARGUMENT, &error, "it has none");
    PML_ASSERT_FAILS(choose("full", &error), PML_E_ARGUMENT, &error, "thing full needs size=...: how large");
}

static void refuses(const char *spec, const char *part) {
    pml_error error;
    PML_ASSERT_FAILS(choose(spec, &error), PML_E_ARGUMENT, &error, part);
}

static void refuses_what_is_no_value(void) {
    refuses("full:size=0", "size is a number of (0, inf), not '0'");
    refuses("full:size=-1", "not '-1'");
    refuses("full:size=inf", "not 'inf'");
    refuses("full:size=1e999", "not '1e999'");
    refuses("full:size=0x10", "not '0x10'");
    refuses("full:size=1 ", "not '1 '");
    refuses("full:size=", "not ''");
    refuses("full:size=1e", "not '1e'");
    refuses("full:size", "'size' is not key=value");
    refuses("full:size=1,", "'' is not key=value");
    refuses("full:size=1,size=2", "size is given twice");
    refuses("full:size=1,betas=0.9", "betas has 2 values with '/' between them, not 1");
    refuses("full:size=1,betas=0.9/1", "not '0.9/1'");
    refuses("full:size=1,betas=0.9/", "not '0.9/'");
    refuses("full:size=1,fast=yes", "fast is true or false, not 'yes'");
    refuses("full:size=1,mode=mea", "mode is one of mean|sum|none, not 'mea'");
    refuses("full:size=1,steps=1.5", "steps is a whole number of [1, 100], not '1.5'");
    refuses("full:size=1,steps=101", "not '101'");
    refuses("open:levels=.1/.1/.1/.1/.1/.1/.1/.1/.1/.1/.1/.1/.1/.1/.1/.1/.1", "levels is numbers");
    refuses("full:size=\x1b[2J", "\\x1b");
    char spec[700] = "full:size=";
    memset(spec + strlen(spec), '1', 600);
    refuses(spec, "too long");
}

PML_TESTS("base/plugin", PML_TEST(reads_every_type), PML_TEST(names_what_there_is), PML_TEST(refuses_what_is_no_value))
