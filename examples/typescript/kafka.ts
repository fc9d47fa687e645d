// What producer.ts and consumer.ts share: brokers, contracts and trace headers.
import { readFileSync } from "node:fs";
import { context, propagation, trace, type Context } from "@opentelemetry/api";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import kafkajs, { type IHeaders } from "kafkajs";
import lz4 from "lz4js";

new NodeTracerProvider().register(); // add your exporter here: spanProcessors
export const tracer = trace.getTracer("typescript-example");

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;

// Sluicegate compresses what it publishes with LZ4, which kafkajs leaves to others.
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder: { buffer: Buffer }) => Buffer.from(lz4.compress(encoder.buffer)),
  decompress: async (buffer: Buffer) => Buffer.from(lz4.decompress(buffer)),
});

export const kafka = new Kafka({
  brokers: (process.env.SLUICE_BOOTSTRAP_SERVERS ?? "localhost:9092").split(","),
  logLevel: logLevel.ERROR,
});

/** The contract of an event, from this repository's JSON Schemas. */
export function contract<T>(event: string): ValidateFunction<T> {
  const schema = new URL(`../../schemas/json/${event}.schema.json`, import.meta.url);
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  return ajv.compile<T>(JSON.parse(readFileSync(schema, "utf8")));
}

/** The headers that take the current trace along. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

/** The trace that a record's headers continue. */
export function traceOf(headers: IHeaders = {}): Context {
  const text = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return propagation.extract(context.active(), Object.fromEntries(text));
}
