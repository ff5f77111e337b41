/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_MIGRATE_H
#define OF_MIGRATE_H

/* Brings a database to this program's schema, and checks that it is there. One thread per connection; blocks. */

#include "common/base/base.h"
#include "common/err/err.h"

struct of_pg;

/* Runs what has not run yet, each migration in a transaction of its own, under an advisory lock: another run waits up to
 * 50 s. Run twice it changes nothing. *ret_text (the caller's) has a line per migration that ran, or is "".
 * Fails: OF_E_DB (retry), OF_E_DB_SCHEMA (a statement was refused; a migration that ran once stands there in another form). */
OF_MUSTCHECK enum of_code of_migrate(struct of_pg *db, char **ret_text, struct of_err *err);

/* At start: all migrations have run, and OpenFaith's tables have every column that the mapping needs, of a type it can use,
 * and none that must be given and that it does not know. Fails: OF_E_DB_SCHEMA, then *ret_problems (the caller's) lists
 * all of them, a line each; else it is untouched. */
OF_MUSTCHECK enum of_code of_migrate_check(struct of_pg *db, char **ret_problems, struct of_err *err);

#endif
