-- params: 3
-- seq of the phase is on Kafka. $1 run, $2 type, $3 seq. Whoever has it by now may have put it to sleep (waits): then it is not emitted.
UPDATE sync.phase SET emitted_seq = $3, emitted_at = now() WHERE run_id = $1 AND external_type = $2 AND emitted_seq < $3 AND seq >= $3
    AND waits IS NULL
