-- What schema 1 (pagerforce 0.1.0) had stored: a linked pair, a waiting note, a dead letter, comments.
INSERT INTO fact VALUES ('start_at:pagerduty', '2026-03-02T07:00:00Z');
INSERT INTO fact VALUES ('start_at:BMCServiceDesk__Incident__c', '2026-03-02T07:00:00Z');
INSERT INTO fact VALUES ('start_at:BMCServiceDesk__IncidentHistory__c', '2026-03-02T07:00:00Z');
INSERT INTO fact VALUES ('baseline:BMCServiceDesk__Incident__c', 'done');
INSERT INTO fact VALUES ('compared_at:salesforce', '2026-03-02T07:00:00Z');
INSERT INTO cursor VALUES ('pagerduty', '2026-03-02T07:50:00.000000Z', NULL);
INSERT INTO cursor VALUES ('BMCServiceDesk__Incident__c', '2026-03-02T07:50:00.000000Z', 'a0R000000000001EAA');
INSERT INTO cursor VALUES ('BMCServiceDesk__IncidentHistory__c', '2026-03-02T07:50:00.000000Z', NULL);
INSERT INTO incident VALUES ('QINC1', 0, '2026-03-02T07:40:00.000000Z',
  '{"id":"QINC1","number":1,"title":"Core switch down","status":"resolved","urgency":"high","incident_key":"pagerforce:a0000000000000000001","created_at":"2026-03-02T07:30:00Z","assignees":[],"custom_fields":{}}');
INSERT INTO record VALUES ('a0R000000000001EAA', 'BMCServiceDesk__Incident__c',
  '{"object":"BMCServiceDesk__Incident__c","id":"a0R000000000001EAA","fields":{"Name":"IN00000001","BMCServiceDesk__state__c":true},"stamp":"2026-03-02T07:31:00Z","created_at":"2026-03-02T07:20:00Z","modified_at":"2026-03-02T07:31:00Z","created_by":{"id":"005000000000001EAA"},"modified_by":{"id":"005000000000001EAA"},"is_deleted":false,"changed_at":{}}');
INSERT INTO comment VALUES ('a0H000000000001EAA', 'BMCServiceDesk__IncidentHistory__c', 'a0R000000000001EAA', NULL);
INSERT INTO comment VALUES ('a0H000000000002EAA', 'BMCServiceDesk__IncidentHistory__c', 'a0R000000000001EAA', 'a0000000000000000009');
INSERT INTO note VALUES ('QINC1', 'PNOTE1', 'a0000000000000000008');
INSERT INTO link VALUES ('QINC1', 'a0R000000000001EAA', 'BMCServiceDesk__Incident__c', 1, '2026-03-02T07:30:00.000000Z', '2026-03-02T07:30:01.000000Z');
INSERT INTO lane_member VALUES ('QINC1', 'QINC1');
INSERT INTO lane_member VALUES ('a0R000000000001EAA', 'QINC1');
INSERT INTO event VALUES (1, 'sf:a0R000000000001EAA:1', 'salesforce', 'create', '2026-03-02T07:20:00.000000Z', '2026-03-02T07:20:05.000000Z', NULL, 'BMCServiceDesk__Incident__c', 'a0R000000000001EAA', NULL,
  '{"id":"sf:a0R000000000001EAA:1","source":"salesforce","type":"create","at":"2026-03-02T07:20:00Z","actor":{},"object":"BMCServiceDesk__Incident__c","record_id":"a0R000000000001EAA","record":{"Name":"IN00000001"},"old_record":{},"changed":[]}', '{}', '[]');
INSERT INTO event VALUES (2, 'sf:a0H000000000001EAA', 'salesforce', 'comment', '2026-03-02T07:45:00.000000Z', '2026-03-02T07:45:05.000000Z', NULL, 'BMCServiceDesk__Incident__c', 'a0R000000000001EAA', NULL,
  '{"id":"sf:a0H000000000001EAA","source":"salesforce","type":"comment","at":"2026-03-02T07:45:00Z","actor":{},"note":"hello","object":"BMCServiceDesk__Incident__c","record_id":"a0R000000000001EAA","record":{"Name":"IN00000001"},"old_record":{},"changed":[],"comment":{"body":"hello","author":"Raj Patel","created_at":"2026-03-02T07:45:00Z"}}', '{}', '[]');
INSERT INTO action VALUES ('a0000000000000000001', 1, 0, 1, 'r', 'page', 0, 'pagerduty.create_incident', 'BMCServiceDesk__Incident__c', '{"title":"x"}', '{"title":"Core switch down"}', 'QINC1', 1, NULL, 'delivered', 'created QINC1', 1, 0, '2026-03-02T07:30:00.000000Z', '2026-03-02T07:30:00.000000Z', '2026-03-02T07:30:00.000000Z', '2026-03-02T07:30:01.000000Z', 'QINC1', 'a0R000000000001EAA');
INSERT INTO action VALUES ('a0000000000000000002', 2, 0, 1, 'r', 'field', 1, 'salesforce.set_field', 'BMCServiceDesk__Incident__c', '{"field":"X__c","value":"1"}', '{"field":"X__c","value":"1"}', 'QINC1', 0, NULL, 'dead_letter', 'refused; correct the rule', 1, 0, '2026-03-02T07:30:00.000000Z', '2026-03-02T07:30:00.000000Z', '2026-03-02T07:30:02.000000Z', '2026-03-02T07:30:03.000000Z', 'QINC1', 'a0R000000000001EAA');
INSERT INTO action VALUES ('a0000000000000000003', 3, 0, 2, '(comments)', 'BMCServiceDesk__Incident__c', 0, 'pagerduty.add_note', 'BMCServiceDesk__Incident__c', '{"text":"x"}', '{"text":"[Raj Patel] hello"}', 'QINC1', 0, NULL, 'pending', NULL, 0, 0, '2099-03-02T07:45:05.000000Z', '2026-03-02T07:45:05.000000Z', NULL, NULL, NULL, NULL);
INSERT INTO attempt VALUES ('a0000000000000000001', 1, '2026-03-02T07:30:00.000000Z', '2026-03-02T07:30:01.000000Z', 'delivered', 'created QINC1');
INSERT INTO attempt VALUES ('a0000000000000000002', 1, '2026-03-02T07:30:02.000000Z', '2026-03-02T07:30:03.000000Z', 'rejected', 'refused; correct the rule');
INSERT INTO expectation VALUES (1, 'a0000000000000000001', 'incident', 'pagerforce:a0000000000000000001', '{}', 'PINTEG1', 0, '2026-03-02T07:30:00.000000Z');
