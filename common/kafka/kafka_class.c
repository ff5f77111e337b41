/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka_int.h"

/* The one table from Kafka's codes to what we do; what is not here passes by itself: OF_E_KAFKA, RETRY. */
static const struct of_kafka_class of_kafka_classes[] = {
    {RD_KAFKA_RESP_ERR__FATAL, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
    {RD_KAFKA_RESP_ERR__FENCED, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, OF_E_KAFKA_FATAL, OF_CLASS_FATAL},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, OF_E_TOO_LARGE, OF_CLASS_PERMANENT},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
    {RD_KAFKA_RESP_ERR__SSL, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, OF_E_KAFKA, OF_CLASS_SYSTEMIC},
};

struct of_kafka_class of_kafka_classify(int kafka_code)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(of_kafka_classes); i++) {
        if (of_kafka_classes[i].kafka_code == kafka_code) {
            return of_kafka_classes[i];
        }
    }
    return (struct of_kafka_class){kafka_code, OF_E_KAFKA, OF_CLASS_RETRY};
}

enum of_code of_kafka_fail(struct of_err *err, rd_kafka_resp_err_t kafka_code, const char *what)
{
    struct of_kafka_class row = of_kafka_classify(kafka_code);
    of_err_set(err, row.code, "%s: %s", what, rd_kafka_err2str(kafka_code));
    if (err) {
        err->cls = row.cls;
        err->kafka_code = kafka_code;
    }
    return row.code;
}
