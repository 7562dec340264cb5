/* Processes that are coroutines: each has a stack of its own, runs until it waits, and can be left for ever. What a
 * killed one held in memory stays where it is; the child of the fork server that plays a seed ends soon after. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/simulation/simulation.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIMULATION_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIMULATION_ASAN 1
#endif
#endif
#ifdef SIMULATION_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_BYTES = 1024 * 1024 };

struct process processes[PROCESSES_MAX];
int n_processes;

static struct task tasks[TASKS_MAX];
static struct task *running;
static ucontext_t scheduler;

struct process *process_running(void)
{
    return running ? running->process : NULL;
}

struct process *process_named(const char *name)
{
    for (int i = 0; i < n_processes; i++)
        if (strcmp(processes[i].name, name) == 0)
            return &processes[i];
    return NULL;
}

struct process *process_add(const char *name, int (*main)(int argc, char **argv))
{
    if (n_processes == PROCESSES_MAX)
        violated("more processes than the simulation has room for");
    struct process *p = &processes[n_processes];
    *p = (struct process){.main = main, .number = (uint32_t)n_processes++};
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

/* ---- tasks ----------------------------------------------------------------------------------------------------- */

#ifdef SIMULATION_ASAN
static const void *scheduler_stack;
static size_t scheduler_stack_bytes;
#endif

static void to_scheduler(struct task *t)
{
#ifdef SIMULATION_ASAN
    void *fake = NULL;
    __sanitizer_start_switch_fiber(t->ended ? NULL : &fake, scheduler_stack, scheduler_stack_bytes);
#endif
    running = NULL;
    (void)swapcontext(&t->context, &scheduler);
#ifdef SIMULATION_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

_Noreturn static void leave_for_ever(struct task *t)
{
    t->ended = true;
    t->process = NULL;
    to_scheduler(t);
    abort();
}

static void enter(void)
{
#ifdef SIMULATION_ASAN
    __sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_stack_bytes);
#endif
    struct task *t = running;
    t->run(t->ctx);
    leave_for_ever(t);
}

struct task *task_add(struct process *p, void (*run)(void *ctx), void *ctx)
{
    struct task *t = NULL;
    for (int i = 0; i < TASKS_MAX && !t; i++)
        if (!tasks[i].process)
            t = &tasks[i];
    if (!t)
        violated("more tasks than the simulation has room for");
    *t = (struct task){.process = p, .run = run, .ctx = ctx, .wake_ns = world.mono_ns};
    void *stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED || getcontext(&t->context) != 0)
        violated("no memory for a stack");
    t->context.uc_stack.ss_sp = stack;
    t->context.uc_stack.ss_size = STACK_BYTES;
    t->context.uc_link = NULL;
    makecontext(&t->context, enter, 0);
    return t;
}

void task_end(struct task *t)
{
    t->process = NULL;
    t->ended = true;
}

void task_resume(struct task *t)
{
    t->waits_on = NULL;
    running = t;
#ifdef SIMULATION_ASAN
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, t->context.uc_stack.ss_sp, t->context.uc_stack.ss_size);
#endif
    (void)swapcontext(&scheduler, &t->context);
#ifdef SIMULATION_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
    running = NULL;
}

void task_wait(struct loop *loop, int64_t until_ns)
{
    struct task *t = running;
    t->waits_on = loop;
    t->wake_ns = until_ns;
    to_scheduler(t);
}

void task_sleep(int64_t ns)
{
    if (running)
        task_wait(NULL, world.mono_ns + ns);
    else
        world.mono_ns += ns;
}

struct task *task_next(int64_t *at_ns)
{
    struct task *next = NULL;
    *at_ns = INT64_MAX;
    for (int i = 0; i < TASKS_MAX; i++) {
        struct task *t = &tasks[i];
        if (!t->process)
            continue;
        int64_t at = t->wake_ns;
        if (t->waits_on) {
            const int64_t ready = loop_ready_ns(t->waits_on);
            at = ready < at ? ready : at;
        }
        if (at < t->process->paused_until_ns)
            at = t->process->paused_until_ns;
        if (at < *at_ns) {
            *at_ns = at;
            next = t;
        }
    }
    return next;
}

/* ---- life and death -------------------------------------------------------------------------------------------- */

static void bury(struct process *p, int code)
{
    p->up = false;
    p->code = code;
    p->kill_in_gaps = p->pause_in_gaps = 0;
    p->paused_until_ns = 0;
    /* Sometimes it is away for longer than a lease. */
    p->restart_ns = world.mono_ns + draw_around(chance(100) ? 600 * NS_PER_MS : 50 * NS_PER_MS);
    for (int i = 0; i < TASKS_MAX; i++)
        if (tasks[i].process == p && &tasks[i] != running)
            task_end(&tasks[i]);
    database_process_died(p);
    network_process_died(p, code >= 0);
    disk_process_died(p);
    p->task = NULL;
}

void process_kill(struct process *p)
{
    TRACE("%s is killed", p->name);
    struct task *self = running && running->process == p ? running : NULL;
    bury(p, -1);
    if (self)
        leave_for_ever(self);
}

_Noreturn static void ended(int code)
{
    struct task *t = running;
    struct process *p = t->process;
    TRACE("ends with code %d", code);
    bury(p, code);
    leave_for_ever(t);
}

static void live(void *ctx)
{
    struct process *p = ctx;
    char program[] = "service", dir_option[] = "--dir", dir[] = ".", name_option[] = "--name";
    char *argv[] = {program, dir_option, dir, name_option, p->name, NULL};
    optind = 0;
    ended(p->main(5, argv));
}

void process_start(struct process *p)
{
    p->up = true;
    p->life++;
    p->started_ns = world.mono_ns;
    p->signalled = false;
    books_process_began(p);
    p->paused_until_ns = 0;
    TRACE("%s starts, life %u", p->name, p->life);
    p->task = task_add(p, live, p);
}

/* ---- what the services call --------------------------------------------------------------------------------------- */

_Noreturn void __real_exit(int code);
_Noreturn void __wrap_exit(int code);
int __real_getpid(void);
int __wrap_getpid(void);

_Noreturn void __wrap_exit(int code)
{
    if (running)
        ended(code);
    __real_exit(code);
}

int __wrap_getpid(void)
{
    const struct process *p = process_running();
    return p ? 1000 + (int)p->number : __real_getpid();
}

struct pool *__real_pool_new(uint32_t capacity, size_t item_bytes);
struct pool *__wrap_pool_new(uint32_t capacity, size_t item_bytes);

/* A seed's run is short: what would only be touched at start, and never used, is left away. */
struct pool *__wrap_pool_new(uint32_t capacity, size_t item_bytes)
{
    return __real_pool_new(capacity > 1024 ? capacity / 16 : capacity, item_bytes);
}
