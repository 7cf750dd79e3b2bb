import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** The registry of the scenarios, and the line protocol that the runner speaks with it. */
final class Scenarios {
    private static final int DEADLINE_SECONDS = 180;
    private static final int LONG_SECONDS = 300;

    /** A piece of behaviour that throws where the broker differs from it. */
    interface Body {
        void run(Run run) throws Exception;
    }

    private record Scenario(Body body, int deadlineSeconds, boolean ownBroker) {}

    private final String client;
    private final Map<String, Scenario> scenarios = new LinkedHashMap<>();

    Scenarios(String client) {
        this.client = client;
    }

    void add(String name, Body body) {
        scenarios.put(name, new Scenario(body, DEADLINE_SECONDS, false));
    }

    void addLong(String name, Body body) {
        scenarios.put(name, new Scenario(body, LONG_SECONDS, false));
    }

    /** Adds one that has the broker of the client's own, as those have whose names begin with reconnect. */
    void addOnOwnBroker(String name, Body body) {
        scenarios.put(name, new Scenario(body, LONG_SECONDS, true));
    }

    /** Lists the scenarios with --list; else runs those that are named on stdin, one a line. */
    void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // What a library prints must not end up between the answers.
        System.setOut(System.err);
        if (arguments.length == 1 && arguments[0].equals("--list")) {
            answers.println(scenarios.entrySet().stream()
                .map(entry -> listed(entry.getKey(), entry.getValue()))
                .collect(Collectors.joining(", ", "[", "]")));
            return;
        }
        BufferedReader names = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String name = names.readLine(); name != null; name = names.readLine()) {
            answers.println(answer(name.strip()));
        }
        System.exit(0);
    }

    private static String listed(String name, Scenario scenario) {
        return "{\"name\": %s, \"deadline_seconds\": %d, \"own_broker\": %b}".formatted(text(name), scenario.deadlineSeconds, scenario.ownBroker);
    }

    private String answer(String name) {
        long started = System.nanoTime();
        Run run = new Run(client, name);
        String detail = failure(scenarios.get(name).body, run) + failure(Run::clean, run);
        double seconds = (System.nanoTime() - started) / 1e9;
        return String.format(
            Locale.ROOT, "{\"scenario\": %s, \"passed\": %b, \"seconds\": %.3f, \"detail\": %s}",
            text(name), detail.isEmpty(), seconds, text(detail));
    }

    private static String failure(Body body, Run run) {
        try {
            body.run(run);
            return "";
        } catch (Exception | AssertionError problem) {
            StringWriter trace = new StringWriter();
            problem.printStackTrace(new PrintWriter(trace));
            return trace.toString();
        }
    }

    /** A string of JSON. */
    private static String text(String value) {
        StringBuilder json = new StringBuilder("\"");
        for (char each : value.toCharArray()) {
            if (each < ' ' || each == '"' || each == '\\') {
                json.append(String.format("\\u%04x", (int) each));
            } else {
                json.append(each);
            }
        }
        return json.append('"').toString();
    }
}
