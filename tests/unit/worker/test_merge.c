/* SPDX-License-Identifier: Apache-2.0 */
/* of_merge by tables: what theirs says now, said last, what was agreed and what the row says, and what comes of it. */
#include "worker/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *what;
    const char *type; /* NULL: Person */
    char mode;        /* 0: b */
    const char *strategy; /* NULL: last_write_wins */
    const char *staged, *seen, *agreed, *row;
    const char *theirs_at; /* NULL: none */
    const char *by_field, *frozen, *open;
    int64_t offset_ms;
    bool keep_first;
    const char *patch, *new_agreed; /* "" none */
    const char *notes;     /* "field: rule, …" */
    const char *asks;      /* "field, …" */
    bool kept_ours, not_only_theirs;
};

#define NONE .patch = "", .new_agreed = "", .notes = "", .asks = ""
#define ROW(first, last) "{\"firstName\":" first ",\"lastName\":" last ",\"updatedAt\":\"2026-11-01T12:00:00Z\"}"
#define F(first, last) "{\"firstName\":" first ",\"lastName\":" last "}"
#define BEFORE "2026-11-01T11:00:00Z"
#define AFTER "2026-11-01T13:00:00Z"
#define SAME_TIME "2026-11-01T12:00:00Z"

static const struct row fields[] = {
    {.what = "first link: theirs where it has a value", .staged = F("\"A\"", "null"), .row = ROW("\"B\"", "\"C\""),
     .patch = "{\"firstName\":\"A\"}", .new_agreed = "", .notes = "firstName: first link: theirs", .asks = "", .kept_ours = true,
     .not_only_theirs = true},
    {.what = "first link, mode chms: the same", .mode = 'c', .staged = F("\"A\"", "null"), .row = ROW("\"B\"", "\"C\""),
     .patch = "{\"firstName\":\"A\"}", .new_agreed = "", .notes = "firstName: first link: theirs", .asks = "", .kept_ours = true,
     .not_only_theirs = true},
    {.what = "first link, mode openfaith: ours, theirs fills", .mode = 'o', .staged = F("\"A\"", "\"L\""), .row = ROW("\"B\"", "null"),
     .patch = "{\"lastName\":\"L\"}", .new_agreed = "", .notes = "lastName: first link: theirs fills ours", .asks = "",
     .kept_ours = true, .not_only_theirs = true},
    {.what = "first link, both the same", .staged = F("\"A\"", "null"), .row = ROW("\"A\"", "null"), NONE},
    {.what = "nothing changed", .staged = F("\"A\"", "\"L\""), .seen = F("\"A\"", "\"L\""), .row = ROW("\"A\"", "\"L\""), NONE},
    {.what = "theirs changed", .staged = F("\"A2\"", "\"L\""), .seen = F("\"A\"", "\"L\""), .row = ROW("\"A\"", "\"L\""),
     .patch = "{\"firstName\":\"A2\"}", .new_agreed = "", .notes = "firstName: theirs changed", .asks = ""},
    {.what = "theirs was cleared", .staged = F("null", "\"L\""), .seen = F("\"A\"", "\"L\""), .row = ROW("\"A\"", "\"L\""),
     .patch = "{\"firstName\":null}", .new_agreed = "", .notes = "firstName: theirs changed", .asks = ""},
    {.what = "ours changed: it goes out, what was agreed is what theirs says", .staged = F("\"A\"", "\"L\""),
     .seen = F("\"A\"", "\"L\""), .row = ROW("\"O\"", "\"L\""), .patch = "", .new_agreed = "", .notes = "", .asks = "",
     .kept_ours = true, .not_only_theirs = true},
    {.what = "each changed another field", .staged = F("\"A2\"", "\"L\""), .seen = F("\"A\"", "\"L\""), .row = ROW("\"A\"", "\"O\""),
     .patch = "{\"firstName\":\"A2\"}", .new_agreed = "", .notes = "firstName: theirs changed", .asks = "", .kept_ours = true,
     .not_only_theirs = true},
    {.what = "both changed to the same", .staged = F("\"Z\"", "null"), .seen = F("\"A\"", "null"), .row = ROW("\"Z\"", "null"),
     .patch = "", .new_agreed = "", .notes = "firstName: both say the same", .asks = ""},
    {.what = "both changed, theirs is newer", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"), .row = ROW("\"O\"", "null"),
     .theirs_at = AFTER, .patch = "{\"firstName\":\"T\"}", .new_agreed = "",
     .notes = "firstName: conflict: last_write_wins, theirs newer", .asks = ""},
    {.what = "both changed, ours is newer", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"), .row = ROW("\"O\"", "null"),
     .theirs_at = BEFORE, .patch = "", .new_agreed = "{\"firstName\":\"A\"}",
     .notes = "firstName: conflict: last_write_wins, ours newer", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "both changed at once: theirs", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"), .row = ROW("\"O\"", "null"),
     .theirs_at = SAME_TIME, .patch = "{\"firstName\":\"T\"}", .new_agreed = "",
     .notes = "firstName: conflict: last_write_wins, theirs newer", .asks = ""},
    {.what = "both changed, theirs has no time", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"), .row = ROW("\"O\"", "null"),
     .patch = "", .new_agreed = "{\"firstName\":\"A\"}", .notes = "firstName: conflict: last_write_wins, ours newer", .asks = "",
     .kept_ours = true, .not_only_theirs = true},
    {.what = "chms wins, though older", .strategy = "chms_wins", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"),
     .row = ROW("\"O\"", "null"), .theirs_at = BEFORE, .patch = "{\"firstName\":\"T\"}", .new_agreed = "",
     .notes = "firstName: conflict: chms_wins", .asks = ""},
    {.what = "openfaith wins, though older", .strategy = "openfaith_wins", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"),
     .row = ROW("\"O\"", "null"), .theirs_at = AFTER, .patch = "", .new_agreed = "{\"firstName\":\"A\"}",
     .notes = "firstName: conflict: openfaith_wins", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "chms wins this field, openfaith the others", .strategy = "openfaith_wins", .by_field = "{\"Person.firstName\":\"chms_wins\"}",
     .staged = F("\"T\"", "\"TL\""), .seen = F("\"A\"", "\"AL\""), .row = ROW("\"O\"", "\"OL\""), .patch = "{\"firstName\":\"T\"}",
     .new_agreed = "{\"lastName\":\"AL\"}", .notes = "firstName: conflict: chms_wins, lastName: conflict: openfaith_wins", .asks = "",
     .kept_ours = true, .not_only_theirs = true},
    {.what = "another type's field strategy is another's", .strategy = "openfaith_wins", .by_field = "{\"Campus.firstName\":\"chms_wins\"}",
     .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"), .row = ROW("\"O\"", "null"), .patch = "",
     .new_agreed = "{\"firstName\":\"A\"}", .notes = "firstName: conflict: openfaith_wins", .asks = "", .kept_ours = true,
     .not_only_theirs = true},
    {.what = "their clock is three hours ahead: ours is newer", .offset_ms = 3 * 3600 * 1000, .staged = F("\"T\"", "null"),
     .seen = F("\"A\"", "null"), .row = ROW("\"O\"", "null"), .theirs_at = AFTER, .patch = "", .new_agreed = "{\"firstName\":\"A\"}",
     .notes = "firstName: conflict: last_write_wins, ours newer", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "what we wrote ourselves carries their time: no correction", .offset_ms = 3 * 3600 * 1000, .staged = F("\"T\"", "null"),
     .seen = F("\"A\"", "null"),
     .row = "{\"firstName\":\"O\",\"lastName\":null,\"updatedAt\":\"2026-11-01T12:00:00Z\",\"updatedBy\":\"sync:pco\"}",
     .theirs_at = AFTER, .patch = "{\"firstName\":\"T\"}", .new_agreed = "",
     .notes = "firstName: conflict: last_write_wins, theirs newer", .asks = ""},
    {.what = "first link, mode chms, not to be sent: agreed as it stands", .mode = 'c', .keep_first = true,
     .staged = F("\"A\"", "null"), .row = ROW("\"A\"", "\"C\""), .patch = "", .new_agreed = "{\"lastName\":\"C\"}", .notes = "",
     .asks = "", .not_only_theirs = true},
    {.what = "ours in another spelling is no change", .staged = F("\"Ann Lee\"", "\"N\""), .seen = F("\"Ann Le\"", "\"L\""),
     .row = ROW("\" Ann  Lee \"", "\"L\""), .patch = "{\"lastName\":\"N\"}", .new_agreed = "{\"firstName\":\" Ann  Lee \"}",
     .notes = "lastName: theirs changed", .asks = "", .not_only_theirs = true},
    {.what = "another case is a change", .staged = F("\"ann\"", "null"), .seen = F("\"ann\"", "null"), .row = ROW("\"Ann\"", "null"),
     .patch = "", .new_agreed = "", .notes = "", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "but not of an e-mail address", .type = "Email", .staged = "{\"address\":\"a@b.c\"}", .seen = "{\"address\":\"a@b.c\"}",
     .row = "{\"address\":\"A@b.C\"}", .patch = "", .new_agreed = "{\"address\":\"A@b.C\"}", .notes = "", .asks = "",
     .not_only_theirs = true},
    {.what = "they respelled what was sent, another field changes: nobody changed this one", .staged = F("\"ANN\"", "\"N\""),
     .seen = F("\"ANN\"", "\"L\""), .agreed = "{\"firstName\":\"Ann\"}", .row = ROW("\"Ann\"", "\"L\""),
     .patch = "{\"lastName\":\"N\"}", .new_agreed = "{\"firstName\":\"Ann\"}", .notes = "lastName: theirs changed", .asks = "",
     .not_only_theirs = true},
    {.what = "two values that alternate are frozen", .frozen = "[{\"field\":\"firstName\",\"a\":\"O\",\"b\":\"T\"}]",
     .staged = F("\"T\"", "null"),
     .seen = F("\"O\"", "null"), .row = ROW("\"O\"", "null"), .theirs_at = AFTER, .patch = "", .new_agreed = "{\"firstName\":\"O\"}",
     .notes = "firstName: frozen: two values alternate",
     .asks = "firstName: {\"ours\":\"O\",\"theirs\":\"T\",\"why\":\"frozen\"}", .not_only_theirs = true},
    {.what = "a relation that was agreed to differ stays so, until theirs speaks of it again",
     .staged = "{\"_rel\":{\"primary_campus\":\"Campus/1\",\"marital_status\":\"MaritalStatus/2\"}}",
     .seen = "{\"_rel\":{\"primary_campus\":\"Campus/1\",\"marital_status\":\"MaritalStatus/1\"}}",
     .agreed = "{\"_rel\":{\"primary_campus\":\"Campus/3\",\"marital_status\":null}}", .row = "{}", .patch = "",
     .new_agreed = "{\"_rel\":{\"primary_campus\":\"Campus/3\"}}", .notes = "", .asks = ""},
    {.what = "a strategy does not matter where only one changed", .strategy = "openfaith_wins", .staged = F("\"T\"", "null"),
     .seen = F("\"A\"", "null"), .row = ROW("\"A\"", "null"), .patch = "{\"firstName\":\"T\"}", .new_agreed = "",
     .notes = "firstName: theirs changed", .asks = ""},
    {.what = "field merge: the newer", .strategy = "field_merge", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"),
     .row = ROW("\"O\"", "null"), .theirs_at = AFTER, .patch = "{\"firstName\":\"T\"}", .new_agreed = "",
     .notes = "firstName: conflict: field_merge, theirs newer", .asks = ""},
    {.what = "ask: ours stands meanwhile", .strategy = "ask", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"),
     .row = ROW("\"O\"", "null"), .theirs_at = AFTER, .patch = "", .new_agreed = "{\"firstName\":\"O\"}",
     .notes = "firstName: conflict: ask", .asks = "firstName: {\"ours\":\"O\",\"theirs\":\"T\",\"why\":\"ask\"}",
     .not_only_theirs = true},
    {.what = "asked, and before the answer theirs changes again: still asked", .strategy = "ask", .staged = F("\"T2\"", "null"),
     .seen = F("\"T\"", "null"), .agreed = "{\"firstName\":\"O\"}", .row = ROW("\"O\"", "null"), .open = "[\"firstName\"]",
     .theirs_at = AFTER, .patch = "",
     .new_agreed = "{\"firstName\":\"O\"}", .notes = "firstName: conflict: ask",
     .asks = "firstName: {\"ours\":\"O\",\"theirs\":\"T2\",\"why\":\"ask\"}", .not_only_theirs = true},
    {.what = "kept as ours, read again: still ours, nothing new is written down", .staged = F("\"T\"", "null"),
     .seen = F("\"T\"", "null"), .agreed = "{\"firstName\":\"A\"}", .row = ROW("\"O\"", "null"), .theirs_at = AFTER, .patch = "",
     .new_agreed = "{\"firstName\":\"A\"}", .notes = "", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "kept as ours, then theirs changes and is newer", .staged = F("\"T2\"", "null"), .seen = F("\"T\"", "null"),
     .agreed = "{\"firstName\":\"A\"}", .row = ROW("\"O\"", "null"), .theirs_at = AFTER, .patch = "{\"firstName\":\"T2\"}",
     .new_agreed = "", .notes = "firstName: conflict: last_write_wins, theirs newer", .asks = ""},
    {.what = "ours goes back to what was agreed: theirs stands", .staged = F("\"T2\"", "null"), .seen = F("\"T\"", "null"),
     .agreed = "{\"firstName\":\"A\"}", .row = ROW("\"A\"", "null"), .theirs_at = BEFORE, .patch = "{\"firstName\":\"T2\"}",
     .new_agreed = "", .notes = "firstName: theirs changed", .asks = ""},
    {.what = "what theirs says now we sent, its answer was lost; ours has changed since", .strategy = "chms_wins",
     .staged = F("\"S\"", "null"), .seen = F("\"A\"", "null"), .agreed = "{\"_sent\":{\"firstName\":\"S\"}}", .row = ROW("\"O\"", "null"),
     .patch = "", .new_agreed = "", .notes = "firstName: sent, its answer was lost", .asks = "", .kept_ours = true,
     .not_only_theirs = true},
    {.what = "the same, ours has not changed since", .strategy = "chms_wins", .staged = F("\"S\"", "null"), .seen = F("\"A\"", "null"),
     .agreed = "{\"_sent\":{\"firstName\":\"S\"}}", .row = ROW("\"S\"", "null"),
     .patch = "", .new_agreed = "", .notes = "firstName: sent, its answer was lost", .asks = ""},
    {.what = "the same, but they changed it after that", .strategy = "chms_wins", .staged = F("\"T\"", "null"), .seen = F("\"A\"", "null"),
     .agreed = "{\"_sent\":{\"firstName\":\"S\"}}", .row = ROW("\"O\"", "null"), .patch = "{\"firstName\":\"T\"}", .new_agreed = "",
     .notes = "firstName: conflict: chms_wins", .asks = ""},
    {.what = "a field that was never read: filled", .staged = F("\"A\"", "\"L\""), .seen = "{\"firstName\":\"A\"}",
     .row = ROW("\"A\"", "null"), .patch = "{\"lastName\":\"L\"}", .new_agreed = "", .notes = "lastName: no base: filled", .asks = ""},
    {.what = "a field that was never read never clears", .staged = F("\"A\"", "null"), .seen = "{\"firstName\":\"A\"}",
     .row = ROW("\"A\"", "\"O\""), .patch = "", .new_agreed = "", .notes = "", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "a field that was not read now says nothing", .staged = "{\"lastName\":\"L\"}", .seen = F("\"A\"", "\"L\""),
     .row = ROW("\"O\"", "\"L\""), NONE},
    {.what = "a moment in another spelling is the same",
     .staged = "{\"inactivatedAt\":\"2026-01-02T03:04:05Z\"}", .seen = "{\"inactivatedAt\":\"2026-01-02T03:04:05Z\"}",
     .row = "{\"inactivatedAt\":\"2026-01-02T04:04:05+01:00\"}", NONE},
    {.what = "a filler says the same as their null", .type = "Campus", .staged = "{\"name\":\"M\",\"street\":null,\"latitude\":null}",
     .seen = "{\"name\":\"M\",\"street\":null,\"latitude\":null}", .row = "{\"name\":\"M\",\"street\":\"\",\"latitude\":null}", NONE},
    {.what = "their value replaces a filler", .type = "Campus", .staged = "{\"name\":\"M\",\"street\":\"S\"}",
     .seen = "{\"name\":\"M\",\"street\":null}", .row = "{\"name\":\"M\",\"street\":\"\"}", .patch = "{\"street\":\"S\"}", .new_agreed = "",
     .notes = "street: theirs changed", .asks = ""},
    {.what = "first link, mode openfaith: our false is a value", .type = "Email", .mode = 'o',
     .staged = "{\"address\":\"a@b.c\",\"primary\":true}", .row = "{\"address\":\"a@b.c\",\"primary\":false}", .patch = "",
     .new_agreed = "", .notes = "", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "first link: so is theirs", .type = "Email", .staged = "{\"address\":\"a@b.c\",\"primary\":false}",
     .row = "{\"address\":\"a@b.c\",\"primary\":true}", .patch = "{\"primary\":false}", .new_agreed = "",
     .notes = "primary: first link: theirs", .asks = ""},
    {.what = "a filled false is a value where the column may be null", .type = "Campus", .staged = "{\"latitude\":null}",
     .seen = "{\"latitude\":null}", .row = "{\"latitude\":0}", .patch = "", .new_agreed = "", .notes = "", .asks = "", .kept_ours = true,
     .not_only_theirs = true},
    {.what = "a field's key stays as it was made", .type = "FieldDefinition", .staged = "{\"key\":\"size\",\"label\":\"New\"}",
     .seen = "{\"key\":\"size\",\"label\":\"Old\"}", .row = "{\"key\":\"size_7\",\"label\":\"Old\"}", .patch = "{\"label\":\"New\"}",
     .new_agreed = "", .notes = "label: theirs changed", .asks = ""},
    {.what = "what this system deleted stands again", .staged = F("\"A\"", "null"), .seen = F("\"A\"", "null"),
     .row = "{\"firstName\":\"A\",\"deletedAt\":\"2026-11-01T12:00:00Z\",\"deletedBy\":\"sync:pco\"}", .patch = "{\"deletedAt\":null}",
     .new_agreed = "", .notes = "deletedAt: came back", .asks = ""},
    {.what = "what another system deleted stays deleted", .staged = F("\"A\"", "null"), .seen = F("\"A\"", "null"),
     .row = "{\"firstName\":\"A\",\"deletedAt\":\"2026-11-01T12:00:00Z\",\"deletedBy\":\"sync:pco2\"}", NONE},
    {.what = "what a person deleted stays deleted", .staged = F("\"A\"", "null"), .seen = F("\"A\"", "null"),
     .row = "{\"firstName\":\"A\",\"deletedAt\":\"2026-11-01T12:00:00Z\",\"deletedBy\":\"user_1\"}", NONE},
};

#define E(name, source, value) "{\"_tag\":\"string\",\"name\":\"" name "\",\"source\":\"" source "\",\"value\":\"" value "\"}"
#define NICK(value) E("pco_nickname", "pco", value)
#define GRADE(value) "{\"_tag\":\"number\",\"name\":\"pco_grade\",\"source\":\"pco\",\"value\":" value "}"
#define OWN E("color", "here", "red")
#define DATUM E("size", "pco", "M") /* a value record's: not of the person's own mapping */
#define C(elements) "{\"customFields\":[" elements "]}"

static const struct row custom[] = {
    {.what = "first link: theirs come behind what is there", .staged = C(NICK("Al")), .row = C(OWN),
     .patch = C(OWN "," NICK("Al")), .new_agreed = "", .notes = "pco_nickname: first link: theirs", .asks = ""},
    {.what = "theirs changed; foreign elements stay, in order", .staged = C(NICK("Bo")), .seen = C(NICK("Al")),
     .row = C(OWN "," NICK("Al") "," DATUM), .patch = C(OWN "," DATUM "," NICK("Bo")), .new_agreed = "",
     .notes = "pco_nickname: theirs changed", .asks = ""},
    {.what = "theirs is no longer set", .staged = C(""), .seen = C(NICK("Al")), .row = C(NICK("Al") "," OWN), .patch = C(OWN),
     .new_agreed = "", .notes = "pco_nickname: theirs changed", .asks = ""},
    {.what = "one of two changed", .staged = C(GRADE("5") "," NICK("Al")), .seen = C(GRADE("4") "," NICK("Al")),
     .row = C(NICK("Al") "," GRADE("4")), .patch = C(NICK("Al") "," GRADE("5")), .new_agreed = "", .notes = "pco_grade: theirs changed",
     .asks = ""},
    {.what = "equal as sets", .staged = C(NICK("Al") "," GRADE("4")), .seen = C(NICK("Al") "," GRADE("4")),
     .row = C(GRADE("4.0") "," OWN "," NICK("Al")), NONE},
    {.what = "ours changed", .staged = C(NICK("Al")), .seen = C(NICK("Al")), .row = C(NICK("Ours")), .patch = "", .new_agreed = "",
     .notes = "", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "what theirs says now we sent, its answer was lost; ours has changed since", .strategy = "chms_wins", .staged = C(NICK("S")),
     .seen = C(NICK("A")), .agreed = "{\"_sent\":" C(NICK("S")) "}", .row = C(NICK("O")), .patch = "", .new_agreed = "",
     .notes = "pco_nickname: sent, its answer was lost", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "the same, we cleared it", .strategy = "chms_wins", .staged = C(""), .seen = C(NICK("A")),
     .agreed = "{\"_sent\":{\"_clear\":[\"pco_nickname\"]}}", .row = C(NICK("O")), .patch = "", .new_agreed = "",
     .notes = "pco_nickname: sent, its answer was lost", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "the same, but they changed it after that", .strategy = "chms_wins", .staged = C(NICK("T")), .seen = C(NICK("A")),
     .agreed = "{\"_sent\":" C(NICK("S")) "}", .row = C(NICK("O")), .patch = C(NICK("T")), .new_agreed = "",
     .notes = "pco_nickname: conflict: chms_wins", .asks = ""},
    {.what = "both changed, ask", .strategy = "ask", .staged = C(NICK("T")), .seen = C(NICK("A")), .row = C(NICK("O")),
     .patch = "", .new_agreed = C(NICK("O")), .notes = "pco_nickname: conflict: ask",
     .asks = "pco_nickname: {\"ours\":[" NICK("O") "],\"theirs\":[" NICK("T") "],\"why\":\"ask\"}", .not_only_theirs = true},
    {.what = "both changed, openfaith wins: what was agreed is remembered", .strategy = "openfaith_wins", .staged = C(NICK("T")),
     .seen = C(NICK("A")), .row = C(NICK("O")), .patch = "", .new_agreed = C(NICK("A")),
     .notes = "pco_nickname: conflict: openfaith_wins", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "kept as ours, then another field of theirs changes: it still counts as ours",
     .staged = C(GRADE("5") "," NICK("T")), .seen = C(GRADE("4") "," NICK("T")), .agreed = C(GRADE("4") "," NICK("A")),
     .row = C(GRADE("4") "," NICK("O")), .patch = C(NICK("O") "," GRADE("5")), .new_agreed = C(GRADE("5") "," NICK("A")),
     .notes = "pco_grade: theirs changed", .asks = "", .kept_ours = true, .not_only_theirs = true},
    {.what = "cleared here by agreement, theirs still has it: nobody changed anything", .staged = C(GRADE("5") "," NICK("T")),
     .seen = C(GRADE("4") "," NICK("T")), .agreed = C(GRADE("4")), .row = C(GRADE("4")), .patch = C(GRADE("5")),
     .new_agreed = C(GRADE("5")), .notes = "pco_grade: theirs changed", .asks = "", .not_only_theirs = true},
    {.what = "both changed, chms wins", .strategy = "chms_wins", .staged = C(NICK("T")), .seen = C(NICK("A")), .row = C(NICK("O")),
     .patch = C(NICK("T")), .new_agreed = "", .notes = "pco_nickname: conflict: chms_wins", .asks = ""},
    {.what = "a value record's element is never touched, whatever its key", .staged = C(""), .seen = C(""), .row = C(DATUM), NONE},
    {.what = "another adapter's element of the same name is another's", .staged = C(NICK("Al")), .seen = C(NICK("Al")),
     .row = C(NICK("Al") "," E("pco_nickname", "other", "X")), NONE},
    {.what = "a column and an element in one patch", .staged = "{\"firstName\":\"B\",\"customFields\":[" NICK("Bo") "]}",
     .seen = "{\"firstName\":\"A\",\"customFields\":[" NICK("Al") "]}", .row = "{\"firstName\":\"A\",\"customFields\":[" NICK("Al") "]}",
     .patch = "{\"firstName\":\"B\",\"customFields\":[" NICK("Bo") "]}", .new_agreed = "",
     .notes = "firstName: theirs changed, pco_nickname: theirs changed", .asks = ""},
};

/* --- running a table --- */

static const struct of_adapter *pco;

static struct of_json *parse(const char *text)
{
    struct of_json *ret = NULL;
    struct of_err err = OF_ERR_INIT;
    if (text && of_json_parse(text, strlen(text), 65536, &ret, &err) != OF_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return ret;
}

static void same_json(const struct row *r, const char *part, const struct of_buf *got, const char *want)
{
    OF_CLEANUP(of_json_freep) struct of_json *a = got->len ? parse(of_buf_text(got)) : NULL;
    OF_CLEANUP(of_json_freep) struct of_json *b = want[0] ? parse(want) : NULL;
    if (!of_json_equal(a, b) || (a == NULL) != (b == NULL)) {
        fail_msg("%s: %s is %s, not %s", r->what, part, got->len ? of_buf_text(got) : "empty", want);
    }
}

static void same_text(const struct row *r, const char *part, const char *got, const char *want)
{
    if (strcmp(got, want) != 0) {
        fail_msg("%s: %s: \"%s\", not \"%s\"", r->what, part, got, want);
    }
}

static void check(const struct row *r)
{
    OF_CLEANUP(of_json_freep) struct of_json *staged = parse(r->staged);
    OF_CLEANUP(of_json_freep) struct of_json *seen = parse(r->seen);
    OF_CLEANUP(of_json_freep) struct of_json *agreed = parse(r->agreed);
    OF_CLEANUP(of_json_freep) struct of_json *row = parse(r->row);
    OF_CLEANUP(of_json_freep) struct of_json *by_field = parse(r->by_field);
    OF_CLEANUP(of_json_freep) struct of_json *frozen = parse(r->frozen);
    OF_CLEANUP(of_json_freep) struct of_json *open = parse(r->open);
    struct of_merge_in in = {.adapter = pco,
                             .by_field = by_field,
                             .frozen = frozen,
                             .open = open,
                             .clock_offset_ms = r->offset_ms,
                             .keep_first = r->keep_first,
                             .sql = of_type_sql(of_type_find(pco, r->type ? r->type : "Person")),
                             .staged = staged,
                             .seen = seen,
                             .agreed = agreed,
                             .row = row,
                             .mode = r->mode ? r->mode : 'b',
                             .strategy = r->strategy ? r->strategy : "last_write_wins"};
    if (r->theirs_at) {
        in.has_theirs_at = true;
        assert_true(of_time_parse(r->theirs_at, &in.theirs_at));
    }
    struct of_merge_out out;
    of_merge(&in, &out);
    same_json(r, "the patch", &out.patch, r->patch);
    same_json(r, "what is agreed", &out.agreed, r->new_agreed);
    struct of_buf notes = OF_BUF_INIT(65536);
    for (size_t i = 0; i < out.n_notes; i++) {
        of_buf_fmt(&notes, "%s%s: %s", i ? ", " : "", out.notes[i].field, out.notes[i].rule);
        OF_CLEANUP(of_json_freep) struct of_json *was = parse(out.notes[i].old_json);
        OF_CLEANUP(of_json_freep) struct of_json *is = parse(out.notes[i].new_json);
        assert_true(was && is);
    }
    same_text(r, "notes", of_buf_text(&notes), r->notes);
    of_buf_clear(&notes);
    for (size_t i = 0; i < out.n_ask; i++) {
        of_buf_fmt(&notes, "%s%s: %s", i ? ", " : "", out.ask[i].field, out.ask[i].detail);
    }
    same_text(r, "asked", of_buf_text(&notes), r->asks);
    of_buf_done(&notes);
    if (out.kept_ours != r->kept_ours || out.only_theirs == r->not_only_theirs) {
        fail_msg("%s: kept ours %d, only theirs %d", r->what, out.kept_ours, out.only_theirs);
    }
    of_merge_done(&out);
}

static void fields_are_merged_one_by_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < OF_ARRAY_LEN(fields); i++) {
        check(&fields[i]);
    }
}

static void custom_fields_are_merged_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < OF_ARRAY_LEN(custom); i++) {
        check(&custom[i]);
    }
}

/* What is merged and written, and read again, says nothing more: for every row, and whatever it decided. */
static void a_second_look_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < OF_ARRAY_LEN(fields) + OF_ARRAY_LEN(custom); i++) {
        const struct row *r = i < OF_ARRAY_LEN(fields) ? &fields[i] : &custom[i - OF_ARRAY_LEN(fields)];
        OF_CLEANUP(of_json_freep) struct of_json *patch = parse(r->patch[0] ? r->patch : NULL);
        OF_CLEANUP(of_json_freep) struct of_json *old = parse(r->row);
        struct of_buf b = OF_BUF_INIT(65536);
        of_buf_char(&b, '{');
        for (const struct of_json *n = of_json_first(old); n; n = of_json_next(n)) {
            const struct of_json *now = of_json_get(patch, of_json_key(n));
            of_buf_str(&b, b.len > 1 ? "," : "");
            of_buf_json_str(&b, of_json_key(n));
            of_buf_char(&b, ':');
            if (strcmp(of_json_key(n), "updatedAt") == 0 && patch && r->theirs_at && !r->not_only_theirs) {
                of_buf_json_str(&b, r->theirs_at); /* as the update does */
            } else {
                of_json_write(&b, now ? now : n);
            }
        }
        of_buf_char(&b, '}');
        struct row again = *r;
        again.row = of_buf_text(&b);
        again.seen = r->staged; /* base_applied: seen := staged, agreed := what the merge says */
        again.agreed = r->new_agreed[0] ? r->new_agreed : NULL;
        again.patch = "";
        again.notes = "";
        again.asks = "";
        check(&again);
        of_buf_done(&b);
    }
}

/* A trigger of OpenFaith's database changed what was written. */
static void after(const char *patch, const char *before, const char *row, const char *agreed, const char *want, bool ours)
{
    OF_CLEANUP(of_json_freep) struct of_json *p = parse(patch);
    OF_CLEANUP(of_json_freep) struct of_json *b = parse(before);
    OF_CLEANUP(of_json_freep) struct of_json *r = parse(row);
    struct row what = {.what = row};
    struct of_buf got = OF_BUF_INIT(65536);
    bool is_ours = false;
    of_buf_str(&got, agreed);
    of_merge_after(of_type_sql(of_type_find(pco, "Person")), p, b, r, &got, &is_ours);
    same_json(&what, "agreed", &got, want);
    if (is_ours != ours) {
        fail_msg("%s: ours %d", row, is_ours);
    }
    of_buf_done(&got);
}

static void triggers_respell_or_change(void **state)
{
    (void)state;
    const char *before = F("\"A\"", "\"L\"");
    after("{\"firstName\":\"B\"}", before, F("\"B\"", "\"L\""), "{\"lastName\":\"K\"}", "{\"lastName\":\"K\"}", false);
    after("{\"firstName\":\"B\"}", before, F("\"b\"", "\"L\""), "", "{\"firstName\":\"b\"}", false);
    after("{\"firstName\":\"B\"}", before, F("\"b\"", "\"L\""), "{\"lastName\":\"K\"}", "{\"firstName\":\"b\",\"lastName\":\"K\"}", false);
    after("{\"firstName\":\"B\"}", before, F("\"B\"", "\"X\""), "", "", true);
    after("{\"firstName\":null}", before, F("\"X\"", "\"L\""), "", "", true);
}

/* What can be parsed can be written, escapes and all: a text of megabytes in one row stops no worker. */
static void a_text_of_megabytes(void **state)
{
    (void)state;
    enum { MAX = 8 * 1024 * 1024, N = 5 * 1024 * 1024 };
    struct of_err err = OF_ERR_INIT;
    struct of_buf b = OF_BUF_INIT(MAX);
    OF_CLEANUP(of_json_freep) struct of_json *row = NULL;
    OF_CLEANUP(of_json_freep) struct of_json *staged = parse("{\"firstName\":\"A\",\"customFields\":[]}");
    of_buf_str(&b, "{\"firstName\":\"");
    for (size_t i = 0; i < N / 2; i++) {
        of_buf_str(&b, "\x7f\x7f");
    }
    of_buf_str(&b, "\",\"customFields\":[{\"_tag\":\"string\",\"source\":\"pco\",\"name\":\"pco_remote_id\",\"value\":\"");
    for (size_t i = 0; i < N / 4; i++) {
        of_buf_str(&b, "\\t");
    }
    of_buf_str(&b, "\"}]}");
    assert_int_equal(of_json_parse(of_buf_text(&b), b.len, MAX, &row, &err), OF_OK);
    struct of_merge_in in = {.adapter = pco, .sql = of_type_sql(of_type_find(pco, "Person")), .staged = staged, .seen = staged,
                             .row = row, .mode = 'b', .strategy = "last_write_wins"};
    struct of_merge_out out;
    of_merge(&in, &out);
    assert_true(out.kept_ours);
    of_merge_done(&out);
    in.seen = NULL; /* a first link: theirs is taken, what was here is noted */
    of_merge(&in, &out);
    assert_true(out.patch.len > 0 && out.n_notes > 0);
    of_merge_done(&out);
    of_buf_done(&b);
}

static int setup(void **state)
{
    (void)state;
    pco = of_adapter_find("pco");
    of_entities_init(pco);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_merged_one_by_one),
        cmocka_unit_test(custom_fields_are_merged_by_name),
        cmocka_unit_test(a_second_look_changes_nothing),
        cmocka_unit_test(triggers_respell_or_change),
        cmocka_unit_test(a_text_of_megabytes),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
