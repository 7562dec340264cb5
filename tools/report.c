/* `sluice report`: what came of a run, and whether everybody agrees on it. */
#include "tools/report.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "services/recorder/store_fill.h"
#include "tools/report_data.h"
#include "tools/run_dir.h"
#include "tools/verb.h"

static const char usage[] =
    "usage: sluice report [--json] [--dir RUN]\n"
    "\n"
    "Prints what came of a run, from its database: orders, fills, volume, fees, profit, rejects, latencies. "
    "Then holds\n"
    "risk's positions, exec's journal, the database and the paper venue's own log against each other.\n"
    "\n"
    "  --dir RUN   run directory; default the newest below runs/\n"
    "  --json      one JSON object, with exact amounts\n"
    "\n"
    "exit codes: 0 reconciled, 1 something cannot be read, 2 usage, 6 not reconciled\n";

static int fail(const char *words)
{
    (void)fprintf(stderr, "sluice report: %s\n", words);
    return EXIT_FAILED;
}

/* What the report needs of the run's own files. */
static int read_settings(struct report *r, char error[CONFIG_ERROR_MAX])
{
    struct config *config = malloc(sizeof *config);
    if (!config)
        return E_FULL;
    config_defaults(config);
    int status = config_load(config, "config.yaml", error);
    if (status == OK)
        (void)text_set(r->currency, sizeof r->currency, config->run.reporting);
    r->paper = status == OK && strcmp(config->run.mode, "paper") == 0;
    free(config);
    if (status == OK && (status = run_id_read(r->run)) != OK)
        (void)snprintf(error, CONFIG_ERROR_MAX, "run_id: cannot be read");
    return status;
}

static int report_here(bool json, FILE *out)
{
    char error[CONFIG_ERROR_MAX] = "out of memory";
    struct report *r = report_new();
    struct store *store = NULL;
    int status = r ? read_settings(r, error) : E_FULL;
    if (status == OK)
        status = store_open_run(false, &store, error);
    if (status == OK)
        status = report_read(r, store, error);
    if (status == OK)
        status = report_reconcile(r, store, error);
    int code = status ? fail(error) : r->n_differences ? EXIT_MISMATCH : EXIT_DONE;
    if (status == OK && json)
        report_write_json(r, out);
    else if (status == OK)
        report_write_text(r, out);
    for (uint32_t i = 0; status == OK && json && i < r->n_differences && i < LINES_MAX; i++)
        (void)fprintf(stderr, "sluice report: %s\n", r->differences[i]);
    (void)fflush(out);
    store_close(&store);
    report_destroy(&r);
    return code;
}

int report_print(const char *dir, bool json, FILE *out)
{
    char error[RUN_ERROR_MAX];
    if (strcmp(dir, ".") != 0 && run_dir_enter(dir, error) != OK)
        return fail(error);
    return report_here(json, out);
}

int verb_report(int argc, char **argv)
{
    static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    char error[RUN_ERROR_MAX];
    const char *dir = NULL;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "d:jh", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return EXIT_DONE;
        }
        if (option == 'd')
            dir = optarg;
        else if (option == 'j')
            json = true;
        else
            return EXIT_USAGE;
    }
    if (optind != argc) {
        (void)fprintf(stderr, "sluice report: '%s' is too much; expected [--json] [--dir RUN]\n",
                      argv[optind]);
        return EXIT_USAGE;
    }
    if ((dir ? run_dir_enter(dir, error) : run_dir_enter_newest(error)) != OK)
        return fail(error);
    return report_print(".", json, stdout);
}
