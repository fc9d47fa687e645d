package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;

/**
 * Joins what recall and ranking get of one query into one search request.
 *
 * <p>Both events of a query have its event_id. Their keys are the producer's, often a user, so the streams are keyed by the
 * id first. The gate publishes both within milliseconds; a minute covers a worker that died between them.
 */
public final class SearchRequests {
  static final String RECALL = "queries.recall";
  static final String RANKING = "queries.ranking";
  static final String REQUESTS = "search.requests";
  static final Serde<JsonNode> JSON = Serdes.serdeFrom((topic, node) -> write(node), (topic, bytes) -> read(bytes));

  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final Duration WINDOW = Duration.ofMinutes(1);

  static Topology topology() {
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, JsonNode> recall = byEventId(builder, RECALL);
    KStream<String, JsonNode> ranking = byEventId(builder, RANKING);
    recall
        .join(
            ranking,
            SearchRequests::request,
            JoinWindows.ofTimeDifferenceWithNoGrace(WINDOW),
            StreamJoined.with(Serdes.String(), JSON, JSON))
        .to(REQUESTS, Produced.with(Serdes.String(), JSON));
    return builder.build();
  }

  private static KStream<String, JsonNode> byEventId(StreamsBuilder builder, String topic) {
    return builder
        .stream(topic, Consumed.with(Serdes.Bytes(), JSON))
        .selectKey((key, event) -> event.get("event_id").asText());
  }

  private static JsonNode request(JsonNode recall, JsonNode ranking) {
    ObjectNode request = MAPPER.createObjectNode();
    request.set("event_id", recall.get("event_id"));
    request.set("lexical", recall.get("lexical"));
    request.set("semantic", recall.get("semantic"));
    request.set("facets", recall.get("facets"));
    ObjectNode scores = request.putObject("scores");
    ranking.get("scores").forEach(score -> scores.set(score.get("name").asText(), score.get("value")));
    return request;
  }

  private static byte[] write(JsonNode node) {
    try {
      return MAPPER.writeValueAsBytes(node);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static JsonNode read(byte[] bytes) {
    try {
      return bytes == null ? null : MAPPER.readTree(bytes);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  public static void main(String[] arguments) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "search-requests");
    settings.put(
        StreamsConfig.BOOTSTRAP_SERVERS_CONFIG,
        System.getenv().getOrDefault("SLUICE_BOOTSTRAP_SERVERS", "localhost:9092"));
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    KafkaStreams streams = new KafkaStreams(topology(), settings);
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }
}
