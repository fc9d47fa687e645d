import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Runs the statements of a file of Flink SQL in this process, one after the other, and waits for the end of each. */
public final class RunSql {
  public static void main(String[] arguments) throws Exception {
    TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
    for (String statement : Files.readString(Path.of(arguments[0])).split(";\\s*\n")) {
      if (statement.contains("INSERT INTO")) {
        System.out.println(tables.explainSql(statement));
      }
      tables.executeSql(statement).await();
    }
    System.exit(0);
  }
}
