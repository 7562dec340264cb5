/* The recorder's store is the real one on a real file; here stands what can go wrong between the two. */
#include <sqlite3.h>
#include <string.h>

#include "services/recorder/store.h"
#include "tests/simulation/simulation.h"

enum { HANDLES_MAX = 256 };

/* Connections by who opened them: one whose process was killed is closed here, and what it had open is rolled back. */
static struct {
    sqlite3 *db;
    const struct process *owner;
} handles[HANDLES_MAX];
static int n_handles;

static int64_t away_until_ns;
static bool answer_lost, refusing;
static struct envelope refused; /* the last one */

int __real_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __real_sqlite3_close_v2(sqlite3 *db);
int __wrap_sqlite3_close_v2(sqlite3 *db);
int __real_sqlite3_busy_timeout(sqlite3 *db, int ms);
int __wrap_sqlite3_busy_timeout(sqlite3 *db, int ms);

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs)
{
    const int code = __real_sqlite3_open_v2(path, db, flags, vfs);
    if (*db && process_running()) {
        if (n_handles == HANDLES_MAX)
            violated("more connections to the store than the simulation has room for");
        handles[n_handles].db = *db;
        handles[n_handles++].owner = process_running();
    }
    return code;
}

int __wrap_sqlite3_close_v2(sqlite3 *db)
{
    for (int i = 0; i < n_handles; i++)
        if (handles[i].db == db)
            handles[i] = handles[--n_handles];
    return __real_sqlite3_close_v2(db);
}

/* Time does not pass while it would wait for another's lock. */
int __wrap_sqlite3_busy_timeout(sqlite3 *db, int ms)
{
    (void)ms;
    return __real_sqlite3_busy_timeout(db, 0);
}

void database_process_died(const struct process *p)
{
    for (int i = n_handles - 1; i >= 0; i--) {
        if (handles[i].owner != p)
            continue;
        sqlite3 *db = handles[i].db;
        sqlite3_stmt *statement;
        handles[i] = handles[--n_handles];
        while ((statement = sqlite3_next_stmt(db, NULL)) != NULL)
            (void)sqlite3_finalize(statement);
        (void)__real_sqlite3_close_v2(db);
    }
}

/* ---- the store's functions ------------------------------------------------------------------------------------- */

int __real_store_open(const char *sink, const char *target, struct store **out, char error[STORE_ERROR_MAX]);
int __wrap_store_open(const char *sink, const char *target, struct store **out, char error[STORE_ERROR_MAX]);
int __real_store_add(struct store *self, const char *run, const struct message *m);
int __wrap_store_add(struct store *self, const char *run, const struct message *m);
int __real_store_add_apart(struct store *self, const char *run, const struct message *m);
int __wrap_store_add_apart(struct store *self, const char *run, const struct message *m);
int __real_store_commit(struct store *self, const char *run, const struct store_position *positions,
                        uint32_t n);
int __wrap_store_commit(struct store *self, const char *run, const struct store_position *positions,
                        uint32_t n);

static bool is_away(void)
{
    return away_until_ns > world.mono_ns && !world.quiet;
}

int __wrap_store_open(const char *sink, const char *target, struct store **out, char error[STORE_ERROR_MAX])
{
    if (is_away()) {
        *out = NULL;
        (void)snprintf(error, STORE_ERROR_MAX, "the simulated database is away");
        return E_IO;
    }
    return __real_store_open(sink, target, out, error);
}

int __wrap_store_add(struct store *self, const char *run, const struct message *m)
{
    if (is_away() || refusing) {
        TRACE("the store %s", is_away() ? "is away" : "refuses a row");
        const int status = is_away() ? E_IO : E_REFUSED;
        if (status == E_REFUSED)
            refused = m->env;
        refusing = false;
        store_rollback(self);
        return status;
    }
    return __real_store_add(self, run, m);
}

/* It refuses the same one again: not a fill, whose rows the books are compared by. */
int __wrap_store_add_apart(struct store *self, const char *run, const struct message *m)
{
    if (!world.quiet && m->env.type != MSG_FILL && m->env.pos == refused.pos &&
        m->env.epoch == refused.epoch && m->env.type == refused.type) {
        TRACE("the store refuses a row again");
        return E_REFUSED;
    }
    return __real_store_add_apart(self, run, m);
}

int __wrap_store_commit(struct store *self, const char *run, const struct store_position *positions,
                        uint32_t n)
{
    if (is_away()) {
        TRACE("the store is away");
        store_rollback(self);
        return E_IO;
    }
    task_sleep(draw_around(NS_PER_MS));
    const int status = __real_store_commit(self, run, positions, n);
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < n; i++) {
        TRACE("stores %s up to %llu/%llu", positions[i].stream, (unsigned long long)positions[i].to_epoch,
              (unsigned long long)positions[i].to_pos);
        invariants_stored(positions[i].stream, positions[i].to_epoch, positions[i].to_pos);
    }
    if (answer_lost && n) {
        answer_lost = false;
        TRACE("the answer to a commit is lost");
        return E_IO;
    }
    return OK;
}

void database_away(int64_t for_ns)
{
    TRACE("the store is away");
    away_until_ns = world.mono_ns + for_ns;
}

void database_answer_lost(void)
{
    answer_lost = true;
}

void database_refuse(void)
{
    refusing = true;
}

void database_heal(void)
{
    away_until_ns = 0;
    answer_lost = refusing = false;
}
