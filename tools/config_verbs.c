/* `sluice show-config` and `sluice check-config`. */
#include <stdio.h>
#include <string.h>

#include "services/feed/live.h"
#include "tools/run_options.h"
#include "tools/verb.h"

int verb_show_config(int argc, char **argv)
{
    static const char usage[] =
        "usage: sluice show-config [--config FILE] [--set KEY=VALUE] [the other flags of `sluice run`]\n"
        "\n"
        "Prints every setting with its meaning, bounds and the value it would have in a run: defaults, then "
        "the file,\n"
        "then the environment (SLUICE__SECTION__KEY), then the flags. What it prints is a valid "
        "configuration file.\n";
    static struct run_options options;
    struct run_limits limits;
    int code = run_options_read(argc, argv, usage, &options, &limits);
    if (code)
        return code < 0 ? EXIT_DONE : code;
    config_write(&options.config, stdout, true);
    return EXIT_DONE;
}

int verb_check_config(int argc, char **argv)
{
    static struct config config;
    char error[CONFIG_ERROR_MAX];
    if (argc != 2 || argv[1][0] == '-') {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        (void)fprintf(help ? stdout : stderr,
                      "usage: sluice check-config FILE\n\nReads a configuration file as a run would, and "
                      "says what is wrong with it; exit code 3 then.\n");
        return help ? EXIT_DONE : EXIT_USAGE;
    }
    config_defaults(&config);
    int status = config_load(&config, argv[1], error);
    if (status == OK && strcmp(config.feed.source, "live") == 0)
        status = live_check(&config, error);
    if (status != OK) {
        (void)fprintf(stderr, "sluice: %s\n", error);
        return EXIT_CONFIG;
    }
    printf("%s: good\n", argv[1]);
    return EXIT_DONE;
}
