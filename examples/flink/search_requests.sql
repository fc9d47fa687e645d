-- Joins what recall and ranking get of one query into one search request, as Flink SQL:
--
--     sql-client.sh --jar flink-sql-connector-kafka-5.0.0-2.2.jar --file search_requests.sql
--
-- The gate publishes both events within milliseconds; a minute covers a worker that died between them. A request has the
-- event's id as its key, so a redelivery replaces it.

CREATE TABLE recall (
  event_id STRING NOT NULL,
  lexical STRING NOT NULL,
  semantic STRING NOT NULL,
  facets ARRAY<STRING>,
  published TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR published AS published - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'queries.recall',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'search-requests',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE ranking (
  event_id STRING NOT NULL,
  scores ARRAY<ROW<name STRING, `value` DOUBLE, reason STRING>>,
  published TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR published AS published - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'queries.ranking',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'search-requests',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE search_requests (
  event_id STRING NOT NULL,
  lexical STRING NOT NULL,
  semantic STRING NOT NULL,
  facets ARRAY<STRING>,
  scores ARRAY<ROW<name STRING, `value` DOUBLE, reason STRING>>,
  PRIMARY KEY (event_id) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'search.requests',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'raw',
  'value.format' = 'json'
);

INSERT INTO search_requests
SELECT recall.event_id, recall.lexical, recall.semantic, recall.facets, ranking.scores
FROM recall
JOIN ranking
  ON recall.event_id = ranking.event_id
  AND ranking.published BETWEEN recall.published - INTERVAL '1' MINUTE AND recall.published + INTERVAL '1' MINUTE;
