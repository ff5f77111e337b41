-- params: 0
-- Changes were lost before they were read, nobody knows which: the change reader looks for all that differs (one that
-- waits for open transactions before it begins has all before it).
UPDATE sync.cdc_state SET repair = '{}' WHERE NOT coalesce(repair ? 'wait', false)
