/* The services' main functions as they are compiled into the simulation, and the one who operates them. */
#ifndef SLUICE_TESTS_SIMULATION_SERVICES_H
#define SLUICE_TESTS_SIMULATION_SERVICES_H

#include <stdbool.h>

int sluice_feed_main(int argc, char **argv);
int sluice_risk_main(int argc, char **argv);
int sluice_exec_main(int argc, char **argv);
int sluice_recorder_main(int argc, char **argv);
int sluice_strategy_main(int argc, char **argv);

int operator_main(int argc, char **argv);
void operator_halts(void); /* asks the operator to halt trading for a while */
bool operator_is_done(void);
/* The operator was told that the gate is closed, for entries or for all, and has not asked for it to be opened since. */
bool operator_has_halted(bool entry);

#endif
