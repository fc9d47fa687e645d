package example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** EVENTS names a folder with recall.json and ranking.json: events as a worker publishes them. */
class SearchRequestsTest {
  private final TopologyTestDriver driver = new TopologyTestDriver(SearchRequests.topology(), new Properties());
  private final TestInputTopic<String, JsonNode> recall = input(SearchRequests.RECALL);
  private final TestInputTopic<String, JsonNode> ranking = input(SearchRequests.RANKING);
  private final TestOutputTopic<String, JsonNode> requests =
      driver.createOutputTopic(
          SearchRequests.REQUESTS, Serdes.String().deserializer(), SearchRequests.JSON.deserializer());

  @AfterEach
  void close() {
    driver.close();
  }

  @Test
  void bothEventsOfAQueryBecomeOneRequest() throws Exception {
    recall.pipeInput("u-17", event("recall"));
    ranking.pipeInput("u-17", event("ranking"));
    JsonNode request = requests.readValue();
    assertEquals(event("recall").get("lexical"), request.get("lexical"));
    assertEquals(
        event("ranking").get("scores").get(0).get("value"),
        request.get("scores").get(event("ranking").get("scores").get(0).get("name").asText()));
    assertTrue(requests.isEmpty());
  }

  @Test
  void eventsOfOneUserButTwoQueriesStayApart() throws Exception {
    recall.pipeInput("u-17", event("recall"));
    ranking.pipeInput("u-17", ((ObjectNode) event("ranking")).put("event_id", "other"));
    assertTrue(requests.isEmpty());
  }

  private TestInputTopic<String, JsonNode> input(String topic) {
    return driver.createInputTopic(topic, Serdes.String().serializer(), SearchRequests.JSON.serializer());
  }

  private static JsonNode event(String name) throws Exception {
    return new ObjectMapper().readTree(Path.of(System.getenv("EVENTS"), name + ".json").toFile());
  }
}
