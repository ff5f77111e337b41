-- params: 3
-- Systems of one organization that make entities of a kind take turns; what one system makes itself may go on side by side. $1 org,
-- $2 entity tag, $3 alone (as far as the worker knows). Locks until the transaction's end.
SELECT CASE WHEN $3 THEN pg_advisory_xact_lock_shared(hashtextextended($1 || chr(31) || $2, 9))::text
            ELSE pg_advisory_xact_lock(hashtextextended($1 || chr(31) || $2, 9))::text END
