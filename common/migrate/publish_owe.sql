-- A publication was changed in this transaction: what was written while a table was not in it, however long ago, has not been read,
-- so whoever reads compares everything, after the transactions that are open now (cdc_repair_wait.sql).
-- params: 0
UPDATE sync.cdc_state SET repair = '{"wait": "new"}';
