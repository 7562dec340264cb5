/* The verbs of `sluice`: each is a main of its own, argv[0] being the verb's name. */
#ifndef SLUICE_TOOLS_VERB_H
#define SLUICE_TOOLS_VERB_H

/* What every verb answers with; scripts rely on these. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,      /* it was tried and did not work */
    EXIT_USAGE = 2,       /* wrong flag or argument */
    EXIT_CONFIG = 3,      /* a configuration or instrument file is wrong */
    EXIT_UNREACHABLE = 4, /* a service does not answer */
    EXIT_REFUSED = 5,     /* risk refuses it, or the run's directory is taken */
    EXIT_MISMATCH = 6     /* two things that must be equal are not */
};

int verb_backtest(int argc, char **argv);
int verb_bench(int argc, char **argv);
int verb_books(int argc, char **argv);
int verb_check_config(int argc, char **argv);
int verb_emulate(int argc, char **argv);
int verb_halt(int argc, char **argv);
int verb_journal(int argc, char **argv);
int verb_lat(int argc, char **argv);
int verb_profile(int argc, char **argv);
int verb_reduce(int argc, char **argv);
int verb_report(int argc, char **argv);
int verb_resume(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_show_config(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_tap(int argc, char **argv);

#endif
