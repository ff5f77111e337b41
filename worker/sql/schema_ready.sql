-- params: 0
-- True once `openfaithctl migrate` has been here.
SELECT to_regclass('sync.connection') IS NOT NULL AND to_regclass('sync.journal') IS NOT NULL
   AND to_regclass('public.openfaith_people') IS NOT NULL
