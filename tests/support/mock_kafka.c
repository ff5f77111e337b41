/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librdkafka's in-process broker as a process of its own, so that several programs share it: the protocol over TCP on
 * 127.0.0.1, memory only, at most 5 MiB per partition. Prints "bootstrap HOST:PORT" and runs until SIGTERM or SIGINT.
 * Usage: mock-kafka [--topic=NAME:PARTITIONS]...
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum {
    MOCK_TOPIC_MAX = 249,       /* Kafka's own bound on names */
    MOCK_PARTITIONS_MAX = 1000,
};

static int
mock_create_topic(rd_kafka_mock_cluster_t *cluster, const char *spec)
{
    char name[MOCK_TOPIC_MAX + 1] = "";
    const char *colon = strrchr(spec, ':');
    char *end = NULL;
    long partitions = 0;

    if (colon == NULL || colon == spec || (size_t)(colon - spec) > MOCK_TOPIC_MAX) {
        fprintf(stderr, "mock-kafka: expected NAME:PARTITIONS, not '%s'\n", spec);
        return -1;
    }
    memcpy(name, spec, (size_t)(colon - spec));
    errno = 0;
    partitions = strtol(colon + 1, &end, 10);
    if (errno != 0 || end == colon + 1 || *end != '\0' || partitions < 1 ||
        partitions > MOCK_PARTITIONS_MAX) {
        fprintf(stderr, "mock-kafka: bad partition count in '%s'\n", spec);
        return -1;
    }
    if (rd_kafka_mock_topic_create(cluster, name, (int)partitions, 1) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "mock-kafka: cannot create topic '%s'\n", name);
        return -1;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    static const char topic_option[] = "--topic=";
    char text[512] = "";
    rd_kafka_t *client = NULL;
    rd_kafka_mock_cluster_t *cluster = NULL;
    sigset_t signals;
    int signo = 0;
    int code = EXIT_FAILURE;

    /* blocked before the first thread exists, so that sigwait below is the only one who gets them */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    if (client == NULL) {
        fprintf(stderr, "mock-kafka: %s\n", text);
        return EXIT_FAILURE;
    }
    cluster = rd_kafka_mock_cluster_new(client, 1);
    if (cluster == NULL) {
        fprintf(stderr, "mock-kafka: no cluster\n");
        goto out;
    }
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], topic_option, sizeof(topic_option) - 1) != 0) {
            fprintf(stderr, "usage: mock-kafka [--topic=NAME:PARTITIONS]...\n");
            code = 64;
            goto out;
        }
        if (mock_create_topic(cluster, argv[i] + sizeof(topic_option) - 1) != 0) {
            goto out;
        }
    }
    printf("bootstrap %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    sigwait(&signals, &signo);
    code = EXIT_SUCCESS;
out:
    if (cluster != NULL) {
        rd_kafka_mock_cluster_destroy(cluster);
    }
    rd_kafka_destroy(client);
    return code;
}
