-- How far the repair owed for slot $1 is: step, position in it (up to four texts), horizon, all of it, whether it has begun. No row:
-- none is owed, or it waits.
-- params: 1
SELECT coalesce((repair ->> 'step')::int, 0), coalesce(repair -> 'after' ->> 0, ''), coalesce(repair -> 'after' ->> 1, ''),
       coalesce(repair -> 'after' ->> 2, ''), coalesce(repair -> 'after' ->> 3, ''), repair ->> 'horizon', repair, repair ? 'step'
FROM sync.cdc_state WHERE slot = $1::text AND repair IS NOT NULL AND NOT repair ? 'wait';
