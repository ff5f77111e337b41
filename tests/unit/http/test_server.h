/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TEST_SERVER_H
#define OF_TEST_SERVER_H

/* A tiny HTTP server for tests: a thread per connection, and what it answers depends on the path. */

struct test_server;
/* Listens on a free port of 127.0.0.1. */
struct test_server *test_server_start(int *ret_port);
void test_server_stop(struct test_server *s);
int test_server_connections(struct test_server *s); /* ever accepted */
int test_server_requests(struct test_server *s);    /* ever read */
int test_server_busiest(struct test_server *s);     /* most requests at the same moment */

#endif
