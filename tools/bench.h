/* The benchmarks of `sluice bench NAME`: each a main of its own, argv[0] being its name. They measure what users run: the
 * same programs, the same defaults. */
#ifndef SLUICE_TOOLS_BENCH_H
#define SLUICE_TOOLS_BENCH_H

int bench_overload(int argc, char **argv);
int bench_soak(int argc, char **argv);

#endif
