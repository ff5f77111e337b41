-- Connections whose organization's changes are wanted: org, adapter.
-- params: 0
SELECT org_id, adapter FROM sync.connection WHERE state <> 'disconnected';
