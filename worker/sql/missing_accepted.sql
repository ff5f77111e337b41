-- params: 3
-- Whether a person has said lately that records of the type that went missing may go. $1 org, $2 adapter, $3 type.
SELECT EXISTS (SELECT FROM sync.review r WHERE r.org_id = $1 AND r.adapter = $2 AND r.kind = 'delete' AND r.external_type = $3
    AND r.external_id = '' AND r.state = 'accepted' AND r.decided_at > now() - interval '1 day')
