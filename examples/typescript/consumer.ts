// Read allowed queries, each once: npm run consume
import { SpanKind } from "@opentelemetry/api";
import { contract, kafka, traceOf, tracer } from "./kafka.js";

interface Recall {
  event_id: string;
  lexical: string;
}

const topic = process.env.SLUICE_TOPIC_RECALL ?? "queries.recall";
const isRecall = contract<Recall>("recall");
const consumer = kafka.consumer({ groupId: "typescript-example" });

// Redeliveries come soon after the first delivery. To recognise them after a restart too, keep the ids where you keep the
// effect, in one transaction: see ../consumer.py.
const seen = new Set<string>();
const REMEMBERED = 100_000;

function firstTime(id: string): boolean {
  if (seen.has(id)) return false;
  seen.add(id);
  if (seen.size > REMEMBERED) seen.delete(seen.values().next().value!); // the oldest
  return true;
}

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  // The offset is committed once this returns. If it throws, the record comes again.
  eachMessage: async ({ message }) => {
    const event: unknown = JSON.parse(message.value!.toString());
    if (!isRecall(event)) throw new Error(JSON.stringify(isRecall.errors));
    const span = tracer.startSpan(`process ${topic}`, { kind: SpanKind.CONSUMER }, traceOf(message.headers));
    if (firstTime(event.event_id)) console.log(`${span.spanContext().traceId}  ${event.lexical}`);
    span.end();
  },
});
process.once("SIGTERM", () => consumer.disconnect());
process.once("SIGINT", () => consumer.disconnect());
