/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_OAUTH_H
#define OF_OAUTH_H

/* Credentials as all adapters with personal access tokens or OAuth keep them. JSON:
 *   {"type":"pat","app_id":…,"secret":…}
 *   {"type":"oauth","client_id":…,"client_secret":…,"refresh_token":…,"access_token":…,"expires_at":…,"grant":…}
 * expires_at is unix seconds (read as ISO 8601 text too). grant is made at connect: the SHA-256 of the first refresh token,
 * a name for the grant that stays when tokens rotate. Members not named here are kept. Results hold secrets: the caller
 * cleanses them. Any thread, no blocking. The functions without more words are struct of_adapter's. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"
#include "common/json/json.h"
#include "common/time/time.h"

OF_MUSTCHECK enum of_code of_oauth_check(const struct of_json *credentials, struct of_err *err);
OF_MUSTCHECK enum of_code of_oauth_authorization(const struct of_json *credentials, struct of_buf *out,
                                                 struct of_err *err);
/* "pat:" or "oauth:" and 16 hex digits. Of OAuth: of client and `user` if the credentials name one (whose requests are
 * counted), else client and grant. */
void of_oauth_budget_key(const struct of_json *credentials, struct of_buf *out);
void of_oauth_refresh_body(const struct of_json *credentials, const char *refresh_token, struct of_buf *out);
OF_MUSTCHECK enum of_code of_oauth_parse_token(const struct of_json *credentials, int status, const char *body,
                                               size_t len, struct of_wall now, struct of_buf *ret_credentials,
                                               struct of_err *err);

/* What is stored at connect: the credentials as they are, with `grant` where OAuth lacks it. Also after a reconnect, if the
 * account is the same, copy the old grant first, or the key changes. */
void of_oauth_adopt(const struct of_json *credentials, struct of_buf *out);
/* True if OAuth credentials have no access token, or one that ends within margin_ms (unknown end: not due). */
bool of_oauth_due(const struct of_json *credentials, struct of_wall now, int64_t margin_ms);
/* False if it is not said. */
bool of_oauth_expires_at(const struct of_json *credentials, struct of_wall *ret);

#endif
