/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TESTS_PGOUTPUT_H
#define OF_TESTS_PGOUTPUT_H

/* Writes messages of pgoutput, for tests and benches: what the server would send. xid 0: no transaction id in the message,
 * as outside of a streamed block. */

#include <string.h>

#include "common/base/buf.h"

OF_UNUSED static void w_8(struct of_buf *b, unsigned v)
{
    of_buf_char(b, (char)v);
}

OF_UNUSED static void w_16(struct of_buf *b, unsigned v)
{
    w_8(b, v >> 8);
    w_8(b, v & 255);
}

OF_UNUSED static void w_32(struct of_buf *b, uint32_t v)
{
    w_16(b, v >> 16);
    w_16(b, v & 65535);
}

OF_UNUSED static void w_64(struct of_buf *b, uint64_t v)
{
    w_32(b, (uint32_t)(v >> 32));
    w_32(b, (uint32_t)v);
}

OF_UNUSED static void w_text(struct of_buf *b, const char *text)
{
    of_buf_mem(b, text, strlen(text) + 1);
}

OF_UNUSED static void w_kind(struct of_buf *b, char kind, uint32_t xid)
{
    of_buf_clear(b);
    of_buf_char(b, kind);
    if (xid != 0) {
        w_32(b, xid);
    }
}

/* us: since 2000 */
OF_UNUSED static void w_begin(struct of_buf *b, uint64_t lsn, int64_t us, uint32_t xid)
{
    w_kind(b, 'B', 0);
    w_64(b, lsn);
    w_64(b, (uint64_t)us);
    w_32(b, xid);
}

/* kind C, or c with the transaction id */
OF_UNUSED static void w_commit(struct of_buf *b, uint32_t xid, uint64_t lsn, uint64_t end, int64_t us)
{
    w_kind(b, xid != 0 ? 'c' : 'C', xid);
    w_8(b, 0);
    w_64(b, lsn);
    w_64(b, end);
    w_64(b, (uint64_t)us);
}

/* columns: names, '*' before those of the key, blanks between */
OF_UNUSED static void w_relation(struct of_buf *b, uint32_t xid, uint32_t oid, const char *name, const char *columns)
{
    w_kind(b, 'R', xid);
    w_32(b, oid);
    w_text(b, "public");
    w_text(b, name);
    w_8(b, 'd');
    unsigned n = 0;
    for (const char *p = columns; *p != '\0'; p += strcspn(p, " "), p += *p == ' ') {
        n++;
    }
    w_16(b, n);
    for (const char *p = columns; *p != '\0'; p += *p == ' ') {
        bool is_key = *p == '*';
        p += is_key;
        size_t len = strcspn(p, " ");
        w_8(b, is_key ? 1 : 0);
        of_buf_mem(b, p, len);
        w_8(b, 0);
        w_32(b, 25);
        w_32(b, UINT32_MAX);
        p += len;
    }
}

/* cells: texts with blanks between; ~ is null, ? unchanged */
OF_UNUSED static void w_cells(struct of_buf *b, char part, const char *cells)
{
    unsigned n = 0;
    for (const char *p = cells; *p != '\0'; p += strcspn(p, " "), p += *p == ' ') {
        n++;
    }
    of_buf_char(b, part);
    w_16(b, n);
    for (const char *p = cells; *p != '\0'; p += *p == ' ') {
        size_t len = strcspn(p, " ");
        if (len == 1 && (*p == '~' || *p == '?')) {
            of_buf_char(b, *p == '~' ? 'n' : 'u');
        } else {
            of_buf_char(b, 't');
            w_32(b, (uint32_t)len);
            of_buf_mem(b, p, len);
        }
        p += len;
    }
}

/* kind I U D; old_part K, O, or 0 for none; cells NULL for a D */
OF_UNUSED static void w_row(struct of_buf *b, char kind, uint32_t xid, uint32_t oid, char old_part, const char *old,
                            const char *cells)
{
    w_kind(b, kind, xid);
    w_32(b, oid);
    if (old_part != 0) {
        w_cells(b, old_part, old);
    }
    if (cells != NULL) {
        w_cells(b, 'N', cells);
    }
}

OF_UNUSED static void w_truncate(struct of_buf *b, uint32_t xid, uint32_t n, const uint32_t *oids)
{
    w_kind(b, 'T', xid);
    w_32(b, n);
    w_8(b, 0);
    for (uint32_t i = 0; i < n; i++) {
        w_32(b, oids[i]);
    }
}

OF_UNUSED static void w_message(struct of_buf *b, uint32_t xid, bool transactional, uint64_t lsn, const char *prefix,
                                const char *content)
{
    w_kind(b, 'M', xid);
    w_8(b, transactional ? 1 : 0);
    w_64(b, lsn);
    w_text(b, prefix);
    w_32(b, (uint32_t)strlen(content));
    of_buf_str(b, content);
}

OF_UNUSED static void w_stream_start(struct of_buf *b, uint32_t xid, bool first)
{
    w_kind(b, 'S', xid);
    w_8(b, first ? 1 : 0);
}

OF_UNUSED static void w_stream_abort(struct of_buf *b, uint32_t xid, uint32_t subxid)
{
    w_kind(b, 'A', xid);
    w_32(b, subxid);
}

#endif
