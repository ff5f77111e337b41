/* SPDX-License-Identifier: Apache-2.0 */
/* openfaithctl: the operator's command line. */

#include "common/log/log.h"
#include "common/migrate/migrate.h"
#include "producer/ctl/ctl.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_DONE = 0, EXIT_USAGE = 64, EXIT_MISSING = 69, EXIT_BUG = 70, EXIT_AGAIN = 75, EXIT_CONFIG = 78 };
#define DB_DEADLINE_MS 25000 /* of a round trip: no command takes longer than a minute */

#define CONNECT_OPTIONS                                                                                                \
    (OF_CTL_OPT_JSON | OF_CTL_OPT_MODE | OF_CTL_OPT_CREDENTIALS | OF_CTL_OPT_BASE_URL | OF_CTL_OPT_TYPES |             \
     OF_CTL_OPT_RATE | OF_CTL_OPT_STRATEGY)

#define DLQ_OPTIONS                                                                                                    \
    (OF_CTL_OPT_JSON | OF_CTL_OPT_LIMIT | OF_CTL_OPT_ORG | OF_CTL_OPT_ADAPTER | OF_CTL_OPT_TYPE | OF_CTL_OPT_RECORD |  \
     OF_CTL_OPT_CAUSE | OF_CTL_OPT_SINCE)
#define WORK_OPTIONS (OF_CTL_OPT_JSON | OF_CTL_OPT_ADAPTER | OF_CTL_OPT_TYPE | OF_CTL_OPT_RECORD)
#define SET_OPTIONS                                                                                                    \
    (CONNECT_OPTIONS | OF_CTL_OPT_POLL | OF_CTL_OPT_TYPE | OF_CTL_OPT_DELETE_THERE | OF_CTL_OPT_PUSH_FIRST)

static const struct of_ctl_command commands[] = {
    {"migrate", "", 0, 0, OF_CTL_OPT_JSON, OF_CTL_NEED_CONF, of_ctl_migrate,
     "bring the database to this program's schema, create what is missing of the topics",
     "Creates schema sync, and of OpenFaith's tables those that are missing (existing ones stay as they are), under an\n"
     "advisory lock. Creates missing topics, checks existing ones: their partition counts must be equal. A broker that\n"
     "cannot be asked is a warning. Makes the publications and the replication slot that the change reader needs; what needs\n"
     "more rights than it has is printed as SQL. Run twice it changes nothing.\n"},
    {"keys new", "", 0, 0, OF_CTL_OPT_JSON, OF_CTL_NEED_NOTHING, of_ctl_keys_new,
     "print a new line for the key ring: <id> <base64 of 32 bytes>",
     "The file in OF_KEYRING_FILE has one such line per key. The last line encrypts, all lines decrypt. Needs no settings.\n"},
    {"keys rotate", "", 0, 0, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_keys_rotate,
     "encrypt all stored credentials with the last key of the ring",
     "To change the key: append a line to the key ring of all programs, restart them, run this, then remove the old line.\n"},
    {"connect", "ORG ADAPTER --mode MODE --credentials FILE [options]", 2, 2, CONNECT_OPTIONS, OF_CTL_NEED_DB,
     of_ctl_connect, "connect an organization's system and start its first sync",
     "ORG is any text id of the organization in OpenFaith; ADAPTER is its system (pco: Planning Center). On a connection\n"
     "that is there already it gives it new credentials, and everything that waited goes on (\"Reconnect Needed\").\n"
     "FILE (or - for stdin) is JSON, one of\n"
     "  {\"type\":\"pat\",\"app_id\":\"...\",\"secret\":\"...\"}\n"
     "  {\"type\":\"oauth\",\"client_id\":\"...\",\"client_secret\":\"...\",\"refresh_token\":\"...\",\"access_token\":\"...\",\n"
     "   \"expires_at\":SECONDS}\n"
     "It is stored encrypted; the file may be deleted afterwards.\n"},
    {"set", "ORG ADAPTER [options]", 2, 2, SET_OPTIONS, OF_CTL_NEED_DB, of_ctl_set, "change a connection",
     "Only what is given changes. A sync that runs goes on with the new settings; types that are added start it anew.\n"},
    {"pause", "ORG ADAPTER", 2, 2, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_pause, "stop a connection until resume",
     "What is in work ends within seconds; everything else waits, nothing is lost.\n"},
    {"resume", "ORG ADAPTER", 2, 2, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_resume,
     "let a paused or parked connection go on", "All that waited goes on at once.\n"},
    {"disconnect", "ORG ADAPTER", 2, 2, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_disconnect,
     "end a connection and delete its credentials",
     "The records stay in OpenFaith, and so does the memory of which record is which: a later connect finds them again.\n"},
    {"sync", "ORG ADAPTER [--restart]", 2, 2, OF_CTL_OPT_JSON | OF_CTL_OPT_RESTART, OF_CTL_NEED_DB, of_ctl_sync,
     "read everything again", "If a sync runs already it is left alone and that is said; --restart begins it anew.\n"},
    {"poll", "ORG ADAPTER [--type T]", 2, 2, OF_CTL_OPT_JSON | OF_CTL_OPT_TYPE, OF_CTL_NEED_DB, of_ctl_poll,
     "ask now what has changed there", "As it happens by itself every 15 minutes (set --poll). settle waits until it is done.\n"},
    {"reconcile", "ORG ADAPTER [--type T]", 2, 2, OF_CTL_OPT_JSON | OF_CTL_OPT_TYPE, OF_CTL_NEED_DB, of_ctl_reconcile,
     "compare everything with what is there, find what is gone",
     "As it happens by itself once a day. What is missing is looked at twice; if a large share is missing, nothing is deleted\n"
     "and a person is asked (review list). settle waits until it is done.\n"},
    {"status", "[ORG]", 0, 1, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_status, "how far each connection is",
     "With ORG also a line per type of record.\n"},
    {"watch", "ORG ADAPTER", 2, 2, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_watch, "follow a sync until it is active",
     "On a terminal a live card: bar, rate, estimate, what holds it back. Otherwise a line per change (--json: an object per\n"
     "line). Ends with 0 when the connection is active.\n"},
    {"settle", "[ORG] [--timeout SECONDS]", 0, 1, OF_CTL_OPT_JSON | OF_CTL_OPT_TIMEOUT, OF_CTL_NEED_DB, of_ctl_settle,
     "wait until nothing is in flight",
     "Waits until all that is in the topics is consumed, no phase is unfinished and no work is ready, leased or waiting; exit\n"
     "0. When the time (300 s) is over it lists what is owed; exit 75.\n"},
    {"explain", "ORG ENTITY_ID [FIELD]", 2, 3, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_explain,
     "who set a value, when, by which rule, what it replaced",
     "FIELD: a column (firstName) or a custom field's name (pco_nickname); default: all that was ever decided. What is not in\n"
     "the journal was made by the first sync, or changed in OpenFaith.\n"},
    {"push", "ORG ADAPTER ID...", 3, OF_CTL_WORDS_MAX, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_push,
     "send records of OpenFaith, also those that are made there by it",
     "ID: entity ids. A linked record is compared and what differs is sent; one that is not linked is made there, whatever the\n"
     "connection's mode. Workers do it; settle waits for it.\n"},
    {"link", "ORG ADAPTER ID TYPE EXTERNAL_ID", 5, 5, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_link,
     "say that a record there and one here are the same",
     "Refused where either is linked already: unlink it first. The values are merged as at a first link.\n"},
    {"unlink", "ORG ADAPTER TYPE EXTERNAL_ID", 4, 4, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_unlink,
     "say that a record there and its partner here are not the same",
     "Both stay; neither is matched, made or sent again until somebody links it. Undoes link.\n"},
    {"work list", "[ORG] [--limit N]", 0, 1, OF_CTL_OPT_JSON | OF_CTL_OPT_LIMIT, OF_CTL_NEED_DB, of_ctl_work_list,
     "what waits, why, since when", "Oldest first; dead letters are in dlq list.\n"},
    {"work retry", "ORG [filters]", 1, 1, WORK_OPTIONS, OF_CTL_NEED_DB, of_ctl_work_retry, "try now what waits for its time", ""},
    {"work release", "ORG [filters]", 1, 1, WORK_OPTIONS, OF_CTL_NEED_DB, of_ctl_work_release, "let parked work go on", ""},
    {"dlq stats", "[ORG] [filters]", 0, 1, DLQ_OPTIONS, OF_CTL_NEED_DB, of_ctl_dlq_stats, "dead letters by cause",
     "A cause is a class of failures and its words without numbers and values; its name serves as --cause.\n"},
    {"dlq list", "[ORG] [filters]", 0, 1, DLQ_OPTIONS, OF_CTL_NEED_DB, of_ctl_dlq_list,
     "dead letters: records that cannot be synchronized", "Oldest first, with place and cause, never with values.\n"},
    {"dlq show", "ORG ADAPTER TYPE ID", 4, 4, OF_CTL_OPT_JSON | OF_CTL_OPT_UNMASK, OF_CTL_NEED_DB, of_ctl_dlq_show,
     "one dead letter, whole", "TYPE and ID as dlq list prints them. Values of people are shown as *** without --unmask,\n"
     "which is written to the journal.\n"},
    {"dlq export", "[ORG] [filters]", 0, 1, DLQ_OPTIONS | OF_CTL_OPT_UNMASK, OF_CTL_NEED_DB, of_ctl_dlq_export,
     "dead letters as JSON lines",
     "Values of people are *** without --unmask, which is written to the journal. At most 100,000 in a call.\n"},
    {"dlq replay", "[ORG] [filters]", 0, 1, DLQ_OPTIONS | OF_CTL_OPT_DRY_RUN | OF_CTL_OPT_PACE | OF_CTL_OPT_REASON,
     OF_CTL_NEED_DB, of_ctl_dlq_replay, "give dead letters another try",
     "The records are looked at as they are now, so nothing old overwrites anything newer, and what was replayed already is left\n"
     "alone. Interrupted it goes on when run again, and so it does after 100,000, the most that one call takes. It is written to\n"
     "the journal.\n"},
    {"dlq discard", "[ORG] [filters] --reason WORDS", 0, 1, DLQ_OPTIONS | OF_CTL_OPT_DRY_RUN | OF_CTL_OPT_REASON, OF_CTL_NEED_DB,
     of_ctl_dlq_discard, "give dead letters up",
     "The next change of such a record is tried again. What may have been made there stays: replay looks for it. At most 100,000\n"
     "in a call. It is written to the journal.\n"},
    {"review list", "[ORG] [--limit N]", 0, 1, OF_CTL_OPT_JSON | OF_CTL_OPT_LIMIT, OF_CTL_NEED_DB, of_ctl_review_list,
     "what waits for a person's decision", "Ambiguous matches come with their candidates, scores and reasons.\n"},
    {"review show", "REVIEW", 1, 1, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_review_show, "one question, whole",
     "A conflict comes with the values of both sides.\n"},
    {"review accept", "REVIEW [--take WHAT]", 1, 1, OF_CTL_OPT_JSON | OF_CTL_OPT_TAKE, OF_CTL_NEED_DB, of_ctl_review_accept,
     "decide a question with yes",
     "match: they are the same (--take ENTITY_ID where there are several candidates). conflict: --take theirs or --take ours.\n"
     "delete: carry it out there. unlinked: make it there. What moved since it was asked is shown again instead (exit 75).\n"},
    {"review reject", "REVIEW", 1, 1, OF_CTL_OPT_JSON, OF_CTL_NEED_DB, of_ctl_review_reject, "decide a question with no",
     "match: none of the candidates is it. conflict: each side keeps its own until it changes again. delete: it stays there.\n"
     "unlinked: it stays here only.\n"},
    {"config show", "", 0, 0, OF_CTL_OPT_JSON, OF_CTL_NEED_CONF, of_ctl_config_show, "the settings in force",
     "Secrets print as ***.\n"},
};

static const struct option {
    const char *name, *value; /* value NULL: a flag */
    unsigned bit;
    size_t offset;
    const char *help;
} options[] = {
    {"--json", NULL, OF_CTL_OPT_JSON, offsetof(struct of_ctl, json), "answer in JSON"},
    {"--mode", "MODE", OF_CTL_OPT_MODE, offsetof(struct of_ctl, mode),
     "bidirectional, openfaith (OpenFaith leads) or chms (the other system leads)"},
    {"--credentials", "FILE", OF_CTL_OPT_CREDENTIALS, offsetof(struct of_ctl, credentials), "JSON file, - for stdin"},
    {"--types", "A,B", OF_CTL_OPT_TYPES, offsetof(struct of_ctl, types),
     "external types in scope (Person,Email); what they depend on is added; default: all"},
    {"--rate", "N/SECONDS|off", OF_CTL_OPT_RATE, offsetof(struct of_ctl, rate),
     "requests per period; default: the system's documented limit"},
    {"--strategy", "NAME|TYPE.FIELD=NAME", OF_CTL_OPT_STRATEGY, offsetof(struct of_ctl, strategy),
     "both sides changed: last_write_wins (default), field_merge, chms_wins, openfaith_wins,\n"
     "                         ask; of one field: Person.firstName=ask (=default: removes it); several with commas"},
    {"--delete-there", "on|off", OF_CTL_OPT_DELETE_THERE, offsetof(struct of_ctl, delete_there),
     "carry deletions of OpenFaith out there; off (default): a person is asked"},
    {"--push-first-link", "on|off", OF_CTL_OPT_PUSH_FIRST, offsetof(struct of_ctl, push_first_link),
     "mode chms: send what a first link keeps as OpenFaith's (default off)"},
    {"--org", "ORG", OF_CTL_OPT_ORG, offsetof(struct of_ctl, org), "of one organization"},
    {"--adapter", "ADAPTER", OF_CTL_OPT_ADAPTER, offsetof(struct of_ctl, adapter), "of one system"},
    {"--record", "ID", OF_CTL_OPT_RECORD, offsetof(struct of_ctl, record), "one record"},
    {"--cause", "CAUSE", OF_CTL_OPT_CAUSE, offsetof(struct of_ctl, cause), "of one cause, as dlq stats names it"},
    {"--since", "WHEN", OF_CTL_OPT_SINCE, offsetof(struct of_ctl, since), "that died since: 30s, 15m, 2h, 3d ago, or 2026-01-31T12:00:00Z"},
    {"--dry-run", NULL, OF_CTL_OPT_DRY_RUN, offsetof(struct of_ctl, dry_run), "say what would be done, do nothing"},
    {"--rate", "N", OF_CTL_OPT_PACE, offsetof(struct of_ctl, rate), "at most so many in a second"},
    {"--reason", "WORDS", OF_CTL_OPT_REASON, offsetof(struct of_ctl, reason), "for the journal"},
    {"--unmask", NULL, OF_CTL_OPT_UNMASK, offsetof(struct of_ctl, unmask), "show values of people"},
    {"--take", "WHAT", OF_CTL_OPT_TAKE, offsetof(struct of_ctl, take), "theirs, ours, or an entity id"},
    {"--base-url", "URL", OF_CTL_OPT_BASE_URL, offsetof(struct of_ctl, base_url),
     "scheme and host of API and token requests (http allowed); \"default\": the system's own"},
    {"--timeout", "SECONDS", OF_CTL_OPT_TIMEOUT, offsetof(struct of_ctl, timeout), "how long to wait (default 300)"},
    {"--restart", NULL, OF_CTL_OPT_RESTART, offsetof(struct of_ctl, restart), "start anew even if a sync runs"},
    {"--poll", "SECONDS", OF_CTL_OPT_POLL, offsetof(struct of_ctl, poll),
     "how often it is asked what has changed (default 900); with --type: for that type (\"default\": as the others)"},
    {"--type", "TYPE", OF_CTL_OPT_TYPE, offsetof(struct of_ctl, type), "external type (Person)"},
    {"--limit", "N", OF_CTL_OPT_LIMIT, offsetof(struct of_ctl, limit), "at most so many (default 100)"},
};

static void write_exit_codes(struct of_buf *b)
{
    of_buf_str(b, "\nExit codes: 0 done, 64 usage or refused, 69 a server is missing, 70 bug, 75 try again, 78 configuration.\n");
}

static void write_help(struct of_buf *b)
{
    of_buf_str(b, "usage: openfaithctl COMMAND [arguments] [--json] [--help]\n\n"
                  "Operates openfaith-sync: connects organizations, shows what happens, and what is stuck and why.\n\nCommands:\n");
    for (size_t i = 0; i < OF_ARRAY_LEN(commands); i++) {
        of_buf_fmt(b, "  %-14s %s\n", commands[i].name, commands[i].summary);
    }
    of_buf_str(b, "\nopenfaithctl COMMAND --help explains one. Options: --json answers in JSON, --version prints the version.\n"
                  "\nSettings (environment; NAME_FILE gives a file that holds the value):\n");
    of_conf_help(OF_PROG_CTL, b);
    write_exit_codes(b);
}

static void write_command_help(const struct of_ctl_command *cmd, struct of_buf *b)
{
    of_buf_fmt(b, "usage: openfaithctl %s%s%s\n\n%c%s.\n", cmd->name, cmd->usage[0] != '\0' ? " " : "", cmd->usage,
               cmd->summary[0] >= 'a' && cmd->summary[0] <= 'z' ? cmd->summary[0] - 'a' + 'A' : cmd->summary[0],
               cmd->summary + 1);
    of_buf_str(b, cmd->help);
    of_buf_str(b, "\nOptions:\n");
    for (size_t i = 0; i < OF_ARRAY_LEN(options); i++) {
        if (cmd->options & options[i].bit) {
            char left[64];
            snprintf(left, sizeof left, "%s%s%s", options[i].name, options[i].value != NULL ? " " : "",
                     options[i].value != NULL ? options[i].value : "");
            of_buf_fmt(b, "  %-22s %s\n", left, options[i].help);
        }
    }
    write_exit_codes(b);
}

/* The command that argv[1] (and argv[2]) name; *ret_used: how many words that takes. */
static const struct of_ctl_command *find_command(int argc, char **argv, int *ret_used)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(commands); i++) {
        char name[64];
        bool two = strchr(commands[i].name, ' ') != NULL;
        if (argc < (two ? 3 : 2)) {
            continue;
        }
        snprintf(name, sizeof name, "%s%s%s", argv[1], two ? " " : "", two ? argv[2] : "");
        if (strcmp(name, commands[i].name) == 0) {
            *ret_used = two ? 3 : 2;
            return &commands[i];
        }
    }
    return NULL;
}

static enum of_code read_option(struct of_ctl *ctl, const struct of_ctl_command *cmd, int argc, char **argv, int *at,
                                struct of_err *err)
{
    const char *word = argv[*at];
    size_t len = strcspn(word, "=");
    if (strcmp(word, "--help") == 0) {
        ctl->help = true;
        return OF_OK;
    }
    for (size_t i = 0; i < OF_ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];
        if (strlen(o->name) != len || strncmp(o->name, word, len) != 0 || !(cmd->options & o->bit)) {
            continue;
        }
        void *place = (char *)ctl + o->offset;
        if (o->value == NULL) {
            if (word[len] == '=') {
                return of_err_set(err, OF_E_INVALID, "%s takes no value", o->name);
            }
            *(bool *)place = true;
            return OF_OK;
        }
        if (word[len] == '=') {
            *(const char **)place = word + len + 1;
            return OF_OK;
        }
        if (*at + 1 >= argc) {
            return of_err_set(err, OF_E_INVALID, "%s needs a value: %s", o->name, o->value);
        }
        *(const char **)place = argv[++*at];
        return OF_OK;
    }
    return of_err_set(err, OF_E_INVALID, "%s has no option %.*s", cmd->name, (int)OF_MIN(len, (size_t)40), word);
}

static enum of_code read_arguments(struct of_ctl *ctl, const struct of_ctl_command *cmd, int from, int argc, char **argv,
                                   struct of_err *err)
{
    bool only_words = false;
    for (int i = from; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] == '-') {
            OF_TRY(read_option(ctl, cmd, argc, argv, &i, err));
        } else if (ctl->n_words == cmd->max_words) {
            return of_err_set(err, OF_E_INVALID, "too many arguments; usage: openfaithctl %s %s", cmd->name, cmd->usage);
        } else {
            ctl->words[ctl->n_words++] = argv[i];
        }
    }
    if (!ctl->help && ctl->n_words < cmd->min_words) {
        return of_err_set(err, OF_E_INVALID, "too few arguments; usage: openfaithctl %s %s", cmd->name, cmd->usage);
    }
    return OF_OK;
}

static int exit_code(const struct of_err *err)
{
    switch (err->code) {
    case OF_OK:
        return EXIT_DONE;
    case OF_E_CONFIG:
    case OF_E_DB_SCHEMA:
    case OF_E_CRYPTO:
        return EXIT_CONFIG;
    case OF_E_INVALID:
    case OF_E_TOO_LARGE:
    case OF_E_NOT_FOUND:
    case OF_E_CONFLICT:
    case OF_E_PARSE:
        return EXIT_USAGE;
    case OF_E_DB:
        return err->sqlstate[0] != '\0' ? EXIT_AGAIN : EXIT_MISSING; /* the server answered: a lock, a restart */
    case OF_E_BUSY:
    case OF_E_TIMEOUT:
        return EXIT_AGAIN;
    case OF_E_KAFKA:
    case OF_E_KAFKA_FATAL:
    case OF_E_NET:
    case OF_E_IO:
        return EXIT_MISSING;
    default:
        return EXIT_BUG;
    }
}

static enum of_code open_db(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *problems = NULL;
    OF_TRY(of_pg_connect(ctl->conf->database_url, "openfaithctl", &ctl->db, err));
    of_pg_set_deadline(ctl->db, DB_DEADLINE_MS);
    OF_TRY(of_pg_script(ctl->db, "SET statement_timeout = '20s'; SET lock_timeout = '10s'", err));
    enum of_code code = of_migrate_check(ctl->db, &problems, err);
    if (problems != NULL) {
        fputs(problems, stderr);
    }
    return code;
}

static enum of_code run(struct of_ctl *ctl, const struct of_ctl_command *cmd, struct of_err *err)
{
    struct of_conf *conf = NULL;
    enum of_code code = OF_OK;
    if (cmd->needs & OF_CTL_NEED_CONF) {
        OF_CLEANUP(of_freep) char *problems = NULL;
        code = of_conf_load(OF_PROG_CTL, &conf, &problems, err);
        if (problems != NULL) {
            fputs(problems, stderr);
        }
        ctl->conf = conf;
    }
    if (code == OF_OK && cmd->needs == OF_CTL_NEED_DB) {
        code = open_db(ctl, err);
    }
    if (code == OF_OK) {
        code = cmd->run(ctl, err);
    }
    of_pg_free(ctl->db);
    of_conf_free(conf);
    return code;
}

static int finish(struct of_ctl *ctl, const struct of_err *err)
{
    bool cut = ctl->out.bad;
    of_ctl_flush(ctl);
    of_buf_done(&ctl->out);
    if (cut) {
        fputs("openfaithctl: the answer is too large, use --limit\n", stderr);
        return EXIT_BUG;
    }
    if (err->code != OF_OK) {
        fprintf(stderr, "openfaithctl: %s%s%s\n", err->msg[0] != '\0' ? err->msg : of_code_text(err->code),
                err->sqlstate[0] != '\0' ? ", SQLSTATE " : "", err->sqlstate);
    }
    return exit_code(err);
}

static int without_command(struct of_ctl *ctl, int argc, char **argv)
{
    struct of_err ok = OF_ERR_INIT;
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        write_help(&ctl->out);
        return finish(ctl, &ok);
    }
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        of_buf_str(&ctl->out, "openfaithctl " OF_VERSION "\n");
        return finish(ctl, &ok);
    }
    struct of_err err = OF_ERR_INIT;
    of_err_set(&err, OF_E_INVALID, "%s; openfaithctl --help lists the commands",
               argc < 2 ? "no command was given" : "there is no such command");
    return finish(ctl, &err);
}

int main(int argc, char **argv)
{
    struct of_ctl ctl = {.out = OF_BUF_INIT(OF_CTL_OUT_MAX)};
    struct of_err err = OF_ERR_INIT;
    int used = 0;
    signal(SIGPIPE, SIG_IGN);
    of_log_init("openfaithctl", OF_LOG_ERROR);
    const struct of_ctl_command *cmd = find_command(argc, argv, &used);
    if (cmd == NULL) {
        return without_command(&ctl, argc, argv);
    }
    enum of_code code = read_arguments(&ctl, cmd, used, argc, argv, &err);
    if (code == OF_OK && ctl.help) {
        write_command_help(cmd, &ctl.out);
        return finish(&ctl, &err);
    }
    if (code == OF_OK) {
        code = run(&ctl, cmd, &err);
    }
    if (code == OF_OK) {
        of_err_clear(&err); /* of something that was tried and was not needed */
    }
    return finish(&ctl, &err);
}
