/* A gap between two effects, or between two steps of one: a place where a process may be killed in a test, and nothing must be lost by it.
 *
 * With SLUICE_KILL_AT=K in the environment the process kills itself (SIGKILL) at its K-th gap; with
 * SLUICE_COUNT_GAPS=FILE it writes there, when it ends by itself, how many it passed. Otherwise a gap costs one
 * decrement of a counter.
 */
#ifndef SLUICE_RUNTIME_FAILPOINT_H
#define SLUICE_RUNTIME_FAILPOINT_H

void failpoint_arm(void);    /* reads the environment, once at start */
void failpoint_report(void); /* at an end in order */
void failpoint(void);        /* a gap */

#endif
