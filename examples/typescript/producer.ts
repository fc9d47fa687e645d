// Publish raw queries: npm run produce -- "wireless headphons"
import { randomUUID } from "node:crypto";
import { SpanKind } from "@opentelemetry/api";
import { contract, kafka, traceHeaders, tracer } from "./kafka.js";

interface RawQuery {
  query: string;
  event_id: string; // a retry with the same id is recognised
  surface?: string;
}

const topic = process.env.SLUICE_TOPIC_RAW ?? "queries.raw";
const isRawQuery = contract<RawQuery>("raw");
const producer = kafka.producer({ idempotent: true });

async function publish(event: RawQuery): Promise<void> {
  if (!isRawQuery(event)) throw new Error(JSON.stringify(isRawQuery.errors));
  await tracer.startActiveSpan(`publish ${topic}`, { kind: SpanKind.PRODUCER }, async (span) => {
    await producer.send({ topic, messages: [{ value: JSON.stringify(event), headers: traceHeaders() }] });
    console.log(span.spanContext().traceId);
    span.end();
  });
}

await producer.connect();
for (const query of process.argv.slice(2)) await publish({ query, event_id: randomUUID(), surface: "example" });
await producer.disconnect();
