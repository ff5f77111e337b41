-- params: 0
-- True once `openfaithctl migrate` of this version has been here (0005_work_sending.sql is the last that adds what is used here).
SELECT to_regclass('sync.connection') IS NOT NULL AND to_regclass('sync.journal') IS NOT NULL
   AND to_regclass('public.openfaith_people') IS NOT NULL
   AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('sync.work') AND attname = 'sending')
