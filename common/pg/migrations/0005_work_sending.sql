-- What an update is sending right now: {"link": its id, "update": fields}. Should its worker die before the answer, what theirs says by then is
-- no change of theirs. A column of its own, in no index: it is written for each update that is sent.
ALTER TABLE sync.work ADD COLUMN sending jsonb;
