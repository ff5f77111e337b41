-- params: 0
-- Messages were lost before they were read: every unfinished phase is emitted again.
UPDATE sync.phase SET emitted_seq = least(emitted_seq, seq - 1) WHERE step NOT IN ('done', 'error') AND emitted_seq >= seq
