-- params: 0
-- Changes were lost before they were read, nobody knows which: the change reader looks for all that differs.
UPDATE sync.cdc_state SET repair = '{}'
