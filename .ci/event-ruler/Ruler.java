import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Machine;

/**
 * Reads lines of a pattern, a tab and an event, and prints for each line whether
 * AWS's event-ruler says that the event matches the pattern.
 */
public final class Ruler {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] pair = line.split("\t", 2);
            String verdict;
            try {
                Machine machine = new Machine();
                machine.addRule("rule", pair[0]);
                verdict = String.valueOf(!machine.rulesForJSONEvent(pair[1]).isEmpty());
            } catch (Exception e) {
                verdict = "error " + String.valueOf(e.getMessage()).split("\n", 2)[0];
            }
            out.write(verdict);
            out.newLine();
            out.flush();
        }
    }
}
