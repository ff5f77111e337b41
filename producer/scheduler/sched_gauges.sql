-- -> ms that the oldest due phase and poll wait; dead letters; connections connected, paused, reconnect, parked
-- params: 0
SELECT
    coalesce((SELECT (extract(epoch FROM now() - min(p.due_at)) * 1000)::bigint FROM sync.phase p
              WHERE p.emitted_seq < p.seq AND p.due_at <= now() AND p.step NOT IN ('done', 'error')), 0),
    coalesce((SELECT (extract(epoch FROM now() - min(s.due_at)) * 1000)::bigint FROM sync.schedule s WHERE s.due_at <= now()), 0),
    (SELECT count(*) FROM sync.work w WHERE w.state = 'dead'),
    count(*) FILTER (WHERE c.state = 'connected'),
    count(*) FILTER (WHERE c.state = 'paused'),
    count(*) FILTER (WHERE c.state = 'reconnect'),
    count(*) FILTER (WHERE c.state = 'parked')
FROM sync.connection c;
