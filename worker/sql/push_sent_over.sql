-- params: 2
-- An answer has shown, and populated, what theirs says by now: what was sent before without an answer is known to be there, or not.
-- $1 org, $2 link.
UPDATE sync.base SET agreed = nullif(agreed - '_sent', '{}') WHERE org_id = $1 AND link_id = $2 AND agreed ? '_sent'
